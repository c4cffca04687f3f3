/** Data directories that cases start from. */
import { join } from 'node:path'
import { drainScript, preloadScript } from '../children/scripts.ts'
import type { DataDirectory, DrainOutput } from '../children/scripts.ts'
import { workloadOf } from '../engine/workload.ts'
import type { WorkloadSpec } from '../engine/workload.ts'
import type { Context } from '../runner/bench.ts'
import { runChild } from '../runner/child.ts'

/** What is prepared is not measured, and so not profiled. */
const unmeasured = (context: Context): Context => ({ ...context, profileDirectory: undefined })

/** A directory whose log holds the input and nothing else. */
export async function preloaded(context: Context, workload: WorkloadSpec): Promise<string> {
  const directory = join(context.scope.directory, 'preloaded')
  context.progress.say(`preloading ${workloadOf(workload).records.toLocaleString('en-US')} records`)
  await runChild(preloadScript, { directory, workload }, unmeasured(context))
  return directory
}

/** A directory whose log holds the input and everything that came of it, with the state. */
export async function processed(context: Context, workload: WorkloadSpec): Promise<string> {
  const directory = await preloaded(context, workload)
  context.progress.say('processing them')
  await drained(unmeasured(context), { directory, workload })
  return directory
}

/** Processes what a directory's log holds, in a process of its own. */
export function drained(context: Context, input: DataDirectory): Promise<DrainOutput> {
  return runChild(drainScript, input, context)
}
