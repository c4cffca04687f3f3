/** How fast results get from the log into the stores that others read: one row or key for each issued claim. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { sinkScript } from '../children/scripts.ts'
import type { ClaimsSpec } from '../engine/claims.ts'
import { issuedOf } from '../engine/claims.ts'
import type { Bench, Context, Measurement, Variant } from '../runner/bench.ts'
import { runChild } from '../runner/child.ts'
import { processed } from './prepare.ts'

const coupons = 100

interface Stores {
  readonly databaseUrl: string
  readonly redisUrl?: string
}

export const sink: Bench = {
  name: 'sink',
  summary: 'results of issued claims loaded from the log, log and sink in one thread',
  variants: [
    variant('postgres', 'into PostgreSQL', (context) => async () => ({
      databaseUrl: await context.servers.postgres(),
    })),
    variant('pglite', 'into PGlite', (context) => async () => {
      const directory = join(context.scope.directory, 'postgres')
      await rm(directory, { recursive: true, force: true })
      return { databaseUrl: `pglite:${directory}` }
    }),
    variant('redis', 'into Redis, behind a PostgreSQL that has them', (context) => {
      let database: Promise<string> | undefined
      return async () => ({
        databaseUrl: await (database ??= context.servers.postgres()),
        redisUrl: await context.servers.redis(),
      })
    }),
  ],
}

/** `prepare` answers what gives each repetition empty stores. */
function variant(
  name: string,
  summary: string,
  prepare: (context: Context) => () => Promise<Stores>,
): Variant {
  return { name, summary, measure: (context) => measure(context, prepare(context)) }
}

async function measure(context: Context, emptyStores: () => Promise<Stores>): Promise<Measurement[]> {
  const { sizes, progress } = context
  const { sinkRecords, repetitions } = sizes
  const workload: ClaimsSpec = { kind: 'claims', claims: sinkRecords, coupons, stock: sinkRecords }
  const directory = await processed(context, workload)
  const values: number[] = []
  for (let repetition = 1; repetition <= repetitions; repetition++) {
    const input = { directory, issued: issuedOf(workload), ...(await emptyStores()) }
    const { seconds } = await runChild(sinkScript, input, context)
    values.push(sinkRecords / seconds)
    const rate = Math.round(sinkRecords / seconds).toLocaleString('en-US')
    progress.say(`repetition ${repetition}/${repetitions}: ${rate} rows/s`)
  }
  return [{ metric: 'rows', unit: '1/s', values }]
}
