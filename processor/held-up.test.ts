/** What one task waits for holds up no other task of its thread, and no stop. */
import { once } from 'node:events'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '#core'
import { openEmbeddedLog } from '#log/embedded'
import { copying } from './testing/copying.ts'
import { EngineHarness } from './testing/engine-harness.ts'
import { partlyAway } from './testing/partly-away.ts'
import { scriptedLog } from './testing/scripted-log.ts'
import type { ScriptedOutcome } from './testing/scripted-log.ts'

async function open(partitions: number): Promise<EngineHarness> {
  const harness = await EngineHarness.open(
    ['in', 'out'].map((name) => ({
      name,
      partitions,
      settings: { cleanup: 'delete', timestamps: name === 'in' ? 'log-append' : 'create' },
    })),
  )
  onTestFinished(() => harness.close())
  return harness
}

test('after an unknown outcome a task goes on although another one cannot be taken over yet', async () => {
  const harness = await open(2)
  const script: ScriptedOutcome[] = []
  const partly = partlyAway(harness.log, 'refuses')
  const streams = await harness.start(copying(), { log: scriptedLog(partly.log, script) })
  await harness.append('in', [['a', '1']])
  await harness.readAtLeast('out', 1)
  partly.isAway = ({ partition }) => partition === 1
  script.push('unknown-aborted')
  await harness.append('in', [['a', '2']])
  await harness.readAtLeast('out', 2)
  await harness.append('in', [['a', '3']])
  expect((await harness.readAtLeast('out', 3)).map(({ value }) => value)).toEqual(['1', '2', '3'])
  expect(streams.state().tasks.map(({ status }) => status)).toEqual(['running', 'restoring'])
  partly.isAway = () => false
  while (!streams.state().ready) await systemClock.sleep(5)
})

test('a task that cannot be restored is handed over at once, and the others go on', async () => {
  const harness = await open(4)
  const partly = partlyAway(harness.log, 'hangs')
  partly.isAway = ({ topic, partition }) => topic !== 'in' && partition > 0
  await harness.start(copying(), { log: partly.log, stateDir: join(harness.root, 'one') })
  await harness.append('in', [['a', '1']])
  await harness.readAtLeast('out', 1)
  const log = await openEmbeddedLog(harness.broker, { clock: systemClock })
  const second = await harness.start(copying(), { log, stateDir: join(harness.root, 'two') })
  onTestFinished(async () => {
    await second.stop()
    await log.close()
  })
  while (!second.state().ready) await systemClock.sleep(5)
  expect(second.state().tasks.length).toBeGreaterThan(0)
  await harness.append('in', [['a', '2']])
  await harness.readAtLeast('out', 2)
})

test('a stop while the transactional ids are being taken ends', async () => {
  // In a thread of its own: a loop that never lets go could not be timed out here.
  const worker = new Worker(new URL('./testing/stop-while-taking.ts', import.meta.url))
  onTestFinished(async () => void (await worker.terminate()))
  expect(await once(worker, 'message')).toEqual(['stopped'])
})
