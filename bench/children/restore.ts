import { systemClock } from '#core'
import { withLog } from '../engine/with-log.ts'
import { failureOf, startWorkload } from '../engine/stream.ts'
import { workloadOf } from '../engine/workload.ts'
import { measured } from '../runner/measured.ts'
import { restoreScript } from './scripts.ts'

measured(restoreScript, async ({ directory, workload: spec, stateDirectory }) =>
  withLog({ directory }, async (log) => {
    const workload = workloadOf(spec)
    const startedAt = performance.now()
    const streams = await startWorkload(log, workload, stateDirectory)
    const failed = failureOf(streams)
    while (!streams.state().ready) await Promise.race([systemClock.sleep(1), failed])
    const seconds = (performance.now() - startedAt) / 1000
    await streams.stop()
    await workload.checkState(stateDirectory)
    return { seconds }
  }),
)
