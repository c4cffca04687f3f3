/** Log and stream thread in one thread, as in the program. */
import { stateDirectoryOf } from '../engine/data-directory.ts'
import { withLog } from '../engine/with-log.ts'
import { startWorkload, untilCommitted } from '../engine/stream.ts'
import { workloadOf } from '../engine/workload.ts'
import { measured } from '../runner/measured.ts'
import { drainScript } from './scripts.ts'

measured(drainScript, async (input, onProgress) =>
  withLog(input, async (log) => {
    const workload = workloadOf(input.workload)
    const stateDirectory = stateDirectoryOf(input.directory)
    const cpuBefore = process.cpuUsage()
    const startedAt = performance.now()
    const streams = await startWorkload(log, workload, stateDirectory)
    await untilCommitted(log, streams, workload, onProgress)
    const seconds = (performance.now() - startedAt) / 1000
    const cpu = process.cpuUsage(cpuBefore)
    const peakBytes = process.resourceUsage().maxRSS * 1024
    await streams.stop()
    await workload.checkOutputs(log)
    await workload.checkState(stateDirectory)
    return { seconds, cpuSeconds: (cpu.user + cpu.system) / 1e6, peakBytes }
  }),
)
