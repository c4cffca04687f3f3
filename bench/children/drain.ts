/** Processes everything that a data directory's log holds: log and stream thread in one thread, as in the program. */
import { stateDirectoryOf, withLog } from '../engine/embedded.ts'
import { startWorkload, untilCommitted } from '../engine/stream.ts'
import { workloadOf } from '../engine/workload.ts'
import type { WorkloadSpec } from '../engine/workload.ts'
import { measured } from '../runner/measured.ts'

export interface DrainInput {
  readonly directory: string
  readonly workload: WorkloadSpec
}

export interface DrainOutput {
  /** From the start of the stream thread until the last offset was committed. */
  readonly seconds: number
  /** User and system, of all threads of the process. */
  readonly cpuSeconds: number
  /** Largest resident set of the process so far. */
  readonly peakBytes: number
}

measured<DrainInput, DrainOutput>(async (input, onProgress) =>
  withLog(input.directory, async (log) => {
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
