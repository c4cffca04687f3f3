/** How fast preloaded requests are decided: the engine alone, on the embedded log, exactly once. */
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DrainOutput } from '../children/scripts.ts'
import type { WorkloadSpec } from '../engine/workload.ts'
import type { Bench, Context, Measurement, Variant } from '../runner/bench.ts'
import { drained, preloaded } from './prepare.ts'

const coupons = 100

export const drain: Bench = {
  name: 'drain',
  summary: 'preloaded requests decided by log and stream thread in one thread',
  variants: [
    variant('half-issued', `${coupons} coupons, every second request wins`, {
      workload: (claims) => ({ kind: 'claims', claims, coupons, stock: Math.floor(claims / coupons / 2) }),
      goal: '≥ 200,000',
    }),
    variant('all-issued', `${coupons} coupons, every request wins`, {
      workload: (claims) => ({ kind: 'claims', claims, coupons, stock: claims }),
    }),
    variant('hot-coupon', 'one coupon, every second request wins', {
      workload: (claims) => ({ kind: 'claims', claims, coupons: 1, stock: Math.floor(claims / 2) }),
    }),
  ],
}

interface DrainVariant {
  readonly workload: (claims: number) => WorkloadSpec
  /** For decisions a second. */
  readonly goal?: string
}

function variant(name: string, summary: string, { workload, goal }: DrainVariant): Variant {
  return {
    name,
    summary,
    measure: (context) => measure(context, workload(context.sizes.drainRecords), goal),
  }
}

async function measure(
  context: Context,
  workload: WorkloadSpec,
  goal: string | undefined,
): Promise<Measurement[]> {
  const { sizes, progress, scope } = context
  const { repetitions, drainRecords } = sizes
  const template = await preloaded(context, workload)
  const runs: DrainOutput[] = []
  for (let repetition = 1; repetition <= repetitions; repetition++) {
    // Results of an earlier repetition would make the log larger, so each begins with the same bytes.
    const directory = join(scope.directory, 'drained')
    await cp(template, directory, { recursive: true })
    const run = await drained(context, { directory, workload })
    runs.push(run)
    await rm(directory, { recursive: true })
    const rate = Math.round(drainRecords / run.seconds).toLocaleString('en-US')
    progress.say(`repetition ${repetition}/${repetitions}: ${rate} decisions/s`)
  }
  return [
    {
      metric: 'decisions',
      unit: '1/s',
      values: runs.map(({ seconds }) => drainRecords / seconds),
      ...(goal === undefined ? {} : { goal }),
    },
    {
      metric: 'decisions per CPU-second',
      unit: '1/CPU-s',
      values: runs.map(({ cpuSeconds }) => drainRecords / cpuSeconds),
    },
    {
      metric: 'peak memory',
      unit: 'MiB',
      values: runs.map(({ peakBytes }) => peakBytes / 2 ** 20),
    },
  ]
}
