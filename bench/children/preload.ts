import { withLog } from '../engine/with-log.ts'
import { preload } from '../engine/preload.ts'
import { workloadOf } from '../engine/workload.ts'
import { measured } from '../runner/measured.ts'
import { preloadScript } from './scripts.ts'

measured(preloadScript, async (input, onProgress) => {
  await withLog(input, (log) => preload(log, workloadOf(input.workload), onProgress))
  return {}
})
