/** As the program is built: log and processor in the engine's thread, this one appends and reads through a port. */
import { MessageChannel } from 'node:worker_threads'
import { systemClock } from '#core'
import { couponTopics } from '#domain/coupon'
import { openEmbeddedLog } from '#log/embedded'
import { startThread } from '../../cli/compose/thread.ts'
import { readSettings } from '../../cli/settings.ts'
import { logDirectoryOf, stateDirectoryOf } from '../engine/data-directory.ts'
import { Decisions, couponOfEach, claimOf, openingOf } from '../engine/decisions.ts'
import { openLoop } from '../load/open-loop.ts'
import { measured } from '../runner/measured.ts'
import { logLatencyScript } from './scripts.ts'

measured(logLatencyScript, async ({ directory, schedule }) => {
  const settings = readSettings({
    LOG_URL: `embedded:${logDirectoryOf(directory)}`,
    STATE_DIR: stateDirectoryOf(directory),
  })
  const { port1, port2 } = new MessageChannel()
  const engine = startThread({
    name: 'engine',
    script: new URL('../../cli/compose/engine-thread.ts', import.meta.url),
    data: { settings, readableLogs: false, logs: [port2] },
    ports: [port2],
  })
  await engine.control.start()
  const log = await openEmbeddedLog(port1, { clock: systemClock })
  const appender = log.appender()
  const reader = log.reader()
  const decisions = new Decisions(couponTopics(), reader)
  const following = decisions.follow()
  try {
    for (const couponId of couponOfEach) await decisions.of(appender, openingOf(couponId))
    const times = await openLoop(schedule, async (index, dueAt) => {
      await decisions.of(appender, claimOf(index))
      return performance.now() - dueAt
    })
    const total = schedule.perSecond * (schedule.warmupSeconds + schedule.seconds)
    if (decisions.issued !== total) throw new Error(`${decisions.issued} are issued, not ${total}`)
    return { decisionMs: times }
  } finally {
    decisions.stop()
    await following
    await log.close()
    await engine.stop()
  }
})
