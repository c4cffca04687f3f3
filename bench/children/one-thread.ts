/** A stream thread in the main thread: nothing of a process but that. */
import { failureOf, startWorkload } from '../engine/stream.ts'
import { openLog } from '../engine/with-log.ts'
import { workloadOf } from '../engine/workload.ts'
import type { EngineRun } from '../peers/engine.ts'
import type { ProcessorHost } from './kafka-processor.ts'

export async function oneThread({ brokers, workload, stateDirectory }: EngineRun): Promise<ProcessorHost> {
  const { log, close } = await openLog({ brokers })
  const streams = await startWorkload(log, workloadOf(workload), stateDirectory)
  let assignedAt: number | undefined
  let restoreSeconds: number | undefined
  return {
    failed: failureOf(streams),
    async ready() {
      const { ready, tasks } = streams.state()
      if (tasks.length > 0) assignedAt ??= performance.now()
      if (ready && assignedAt !== undefined) restoreSeconds ??= (performance.now() - assignedAt) / 1000
      return ready
    },
    restoreSeconds: () => restoreSeconds,
    tasks: () =>
      streams
        .state()
        .tasks.filter(({ role, status }) => role === 'active' && status === 'running')
        .map(({ taskId }) => Number(taskId.slice(taskId.indexOf('_') + 1)))
        .toSorted((a, b) => a - b),
    loseThread() {
      throw new Error('the only stream thread cannot be lost alone')
    },
    async stop() {
      await streams.stop()
      await close()
    },
  }
}
