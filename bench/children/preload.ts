import { withLog } from '../engine/embedded.ts'
import { preload } from '../engine/preload.ts'
import { workloadOf } from '../engine/workload.ts'
import { measured } from '../runner/measured.ts'
import { preloadScript } from './scripts.ts'

measured(preloadScript, async ({ directory, workload }, onProgress) => {
  await withLog(directory, (log) => preload(log, workloadOf(workload), onProgress))
  return {}
})
