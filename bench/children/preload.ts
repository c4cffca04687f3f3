/** Makes a data directory whose log holds a workload's input, not yet processed. */
import { preload } from '../engine/preload.ts'
import { withLog } from '../engine/embedded.ts'
import { workloadOf } from '../engine/workload.ts'
import type { WorkloadSpec } from '../engine/workload.ts'
import { measured } from '../runner/measured.ts'

export interface PreloadInput {
  readonly directory: string
  readonly workload: WorkloadSpec
}

export type PreloadOutput = Record<string, never>

measured<PreloadInput, PreloadOutput>(async ({ directory, workload }, onProgress) => {
  await withLog(directory, (log) => preload(log, workloadOf(workload), onProgress))
  return {}
})
