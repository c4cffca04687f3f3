/** As the program is built: log and processor in the engine's thread, this one appends and reads through a port. */
import { MessageChannel } from 'node:worker_threads'
import { systemClock } from '#core'
import { commandSerde, peekResult } from '#domain/coupon'
import type { CouponCommand } from '#domain/coupon'
import type { Appender, Reader } from '#log'
import { openEmbeddedLog } from '#log/embedded'
import { encode } from '#topology'
import { startThread } from '../../cli/compose/thread.ts'
import { readSettings } from '../../cli/settings.ts'
import { topics } from '../../test/system/coupon-history.ts'
import { partitionOfCoupon, partitions } from '../../test/system/commands.ts'
import { logDirectoryOf, stateDirectoryOf } from '../engine/data-directory.ts'
import { openLoop } from '../load/open-loop.ts'
import { measured } from '../runner/measured.ts'
import { logLatencyScript } from './scripts.ts'

const nonce = '0123456789abcdef'
const pollMs = 1000
/** One for each partition, so that all four take part. */
const coupons = Array.from({ length: partitions }, (_, partition) => couponIn(partition))

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
  const decisions = new Decisions(reader)
  const following = decisions.follow()
  try {
    for (const couponId of coupons) await decisions.of(appender, openCommand(couponId))
    const times = await openLoop(schedule, async (index, dueAt) => {
      const userId = `user-${index}`
      const couponId = coupons[index % coupons.length] as string
      await decisions.of(appender, { command: 'issue', couponId, by: userId, nonce, userId })
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

/** Follows the results and tells each command's sender of its own. */
class Decisions {
  issued = 0
  readonly #reader: Reader
  readonly #waiting = new Map<string, () => void>()
  /** Seen before the append was acknowledged to the sender. */
  readonly #early = new Set<string>()
  #stopped = false

  constructor(reader: Reader) {
    this.#reader = reader
    for (let partition = 0; partition < partitions; partition++) {
      reader.seek({ topic: topics.result, partition }, 0)
    }
  }

  /** Appends a command; resolves once its result is seen. */
  async of(appender: Appender, command: CouponCommand): Promise<void> {
    const value = encode(commandSerde, command)
    const { partition, offset } = await appender.append({ topic: topics.issue, key: command.couponId, value })
    const place = `${partition}/${offset}`
    if (this.#early.delete(place)) return
    await new Promise<void>((resolve) => {
      this.#waiting.set(place, resolve)
    })
  }

  async follow(): Promise<void> {
    const peek = peekResult(Buffer.from('{}'), 0, 2)
    while (!this.#stopped) {
      for (const fetched of await this.#reader.poll(pollMs)) {
        for (const cursor = fetched.cursor(); cursor.next();) {
          peekResult(cursor.buffer, cursor.valueStart, cursor.valueEnd, peek)
          if (peek.outcome === 'issued') this.issued++
          this.#tell(`${peek.partition}/${peek.offset}`)
        }
      }
    }
  }

  stop(): void {
    this.#stopped = true
    this.#reader.wakeup()
  }

  #tell(place: string): void {
    const waiting = this.#waiting.get(place)
    if (waiting === undefined) this.#early.add(place)
    else {
      this.#waiting.delete(place)
      waiting()
    }
  }
}

function openCommand(couponId: string): CouponCommand {
  const terms = {
    stock: 1e12,
    name: null,
    perUserLimit: 1,
    startsAt: null,
    endsAt: null,
    discount: null,
    validUntil: null,
  }
  return { command: 'open', couponId, by: 'operator', nonce, terms }
}

function couponIn(partition: number): string {
  for (let number = 0; ; number++) {
    if (partitionOfCoupon(`coupon-${number}`) === partition) return `coupon-${number}`
  }
}
