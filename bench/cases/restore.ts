/** How fast lost state comes back from its changelogs: from the start of the stream thread until its tasks run. */
import { join } from 'node:path'
import { restoreScript } from '../children/scripts.ts'
import type { WorkloadSpec } from '../engine/workload.ts'
import type { Bench, Context, Measurement, Variant } from '../runner/bench.ts'
import { runChild } from '../runner/child.ts'
import { processed } from './prepare.ts'

const coupons = 100

export const restore: Bench = {
  name: 'restore',
  summary: 'state restored from changelogs into an empty directory',
  variants: [
    variant('segments', 'users of sets, some thousand in a changelog record', 'users', (claims) => ({
      kind: 'claims',
      claims,
      coupons,
      stock: claims,
    })),
    variant('puts', 'entries of a key-value store, one changelog record each', 'records', (records) => ({
      kind: 'puts',
      records,
    })),
  ],
}

function variant(
  name: string,
  summary: string,
  metric: string,
  workload: (records: number) => WorkloadSpec,
): Variant {
  return {
    name,
    summary,
    measure: (context) => measure(context, workload(context.sizes.restoreRecords), metric),
  }
}

async function measure(context: Context, workload: WorkloadSpec, metric: string): Promise<Measurement[]> {
  const { sizes, progress, scope } = context
  const { restoreRecords, repetitions } = sizes
  const directory = await processed(context, workload)
  const values: number[] = []
  for (let repetition = 1; repetition <= repetitions; repetition++) {
    const stateDirectory = join(scope.directory, `restored-${repetition}`)
    const { seconds } = await runChild(restoreScript, { directory, workload, stateDirectory }, context)
    values.push(restoreRecords / seconds)
    const rate = Math.round(restoreRecords / seconds).toLocaleString('en-US')
    progress.say(`repetition ${repetition}/${repetitions}: ${rate} ${metric}/s`)
  }
  return [{ metric, unit: '1/s', values }]
}
