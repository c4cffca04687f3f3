/**
 * A thread that stops while it takes its transactional ids again after an unknown outcome, and another of its tasks has
 * just become ready and has something to commit. Says `stopped` when it has.
 */
import { parentPort } from 'node:worker_threads'
import { systemClock } from '#core'
import { logError } from '#log'
import { copying } from './copying.ts'
import { EngineHarness } from './engine-harness.ts'
import { partlyAway } from './partly-away.ts'
import { scriptedLog } from './scripted-log.ts'
import type { ScriptedOutcome } from './scripted-log.ts'
import { withTransactors } from './with-transactors.ts'

const harness = await EngineHarness.open(
  ['in', 'out'].map((name) => ({
    name,
    partitions: 2,
    settings: { cleanup: 'delete', timestamps: name === 'in' ? 'log-append' : 'create' },
  })),
)
const script: ScriptedOutcome[] = []
const asked: string[] = []
let coordinatorIsAway = false
const partly = partlyAway(harness.log, 'refuses')
partly.isAway = ({ partition }) => partition === 1
const scripted = scriptedLog(partly.log, script)
const log = withTransactors(scripted, async (id, options) => {
  asked.push(id)
  if (coordinatorIsAway) throw logError('LOG_UNAVAILABLE', 'The coordinator is away. Try again.')
  return scripted.transactor(id, options)
})
const streams = await harness.start(copying(), { log })
await harness.append('in', [['a', '1']])
await harness.readAtLeast('out', 1)

coordinatorIsAway = true
const askedBefore = asked.length
script.push('unknown-aborted')
await harness.append('in', [['a', '2']])
while (asked.length === askedBefore) await systemClock.sleep(5)

const appender = harness.log.appender()
await appender.append({ topic: 'in', partition: 1, key: 'b', value: '1' })
await appender.close()
partly.isAway = () => false
const fetched = (): boolean => streams.state().tasks.some(({ taskId, lag }) => taskId === '0_1' && lag === 0)
while (streams.state().tasks.some(({ taskId, status }) => taskId === '0_1' && status !== 'running')) {
  await systemClock.sleep(5)
}
// What it has fetched is computed in the very turn in which the stop ends the waiting.
for (let wait = 0; wait < 20 && !fetched(); wait++) await systemClock.sleep(10)
await streams.stop()
await harness.close()
parentPort?.postMessage('stopped', [])
