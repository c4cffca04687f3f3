/** How long a claim takes at a steady rate: to its decision, and to its row in the SQL database. */
import { join } from 'node:path'
import { claimLatencyScript, logLatencyScript } from '../children/scripts.ts'
import type { ClaimLatencyInput, ClaimLatencyOutput } from '../children/scripts.ts'
import type { Schedule } from '../load/open-loop.ts'
import { MeasuredProgram } from '../load/program.ts'
import type { Bench, Context, Measurement } from '../runner/bench.ts'
import { runChild } from '../runner/child.ts'
import { percentile } from '../runner/statistics.ts'

const couponId = 'measured'
const stock = 1e12
const warmupSeconds = 2
const rowGoal = 'p99 < 500 ms at 2,000/s'

export const latency: Bench = {
  name: 'latency',
  summary: 'claims at a fixed rate, timed from when each was due (no coordinated omission)',
  variants: [
    {
      name: 'http',
      summary: 'from sending the claim to its decision in the answer (Prefer: wait)',
      measure: (context) =>
        repeated(context, async () => {
          const { answerMs } = await claimsOverHttp(context, { prefer: 'wait=30' })
          return [{ metric: 'to decision', times: answerMs }]
        }),
    },
    {
      name: 'log',
      summary: 'from appending the claim to a reader seeing its result, without HTTP',
      measure: (context) =>
        repeated(context, async (number) => {
          const directory = join(context.scope.directory, `log-${number}`)
          const input = { directory, schedule: scheduleOf(context) }
          const { decisionMs } = await runChild(logLatencyScript, input, context)
          return [{ metric: 'to decision', times: decisionMs }]
        }),
    },
    {
      name: 'postgres',
      summary: 'from sending the claim to its 202 and to its row in PostgreSQL',
      measure: (context) =>
        repeated(context, async () => {
          const databaseUrl = await context.servers.postgres()
          const output = await claimsOverHttp(context, {
            rows: { databaseUrl },
            environment: { DATABASE_URL: databaseUrl },
          })
          return answersAndRows(output, rowGoal)
        }),
    },
    {
      name: 'pglite',
      summary: 'the same with PGlite, whose rows are watched by way of the program',
      measure: (context) =>
        repeated(context, async () => answersAndRows(await claimsOverHttp(context, { rows: {} }))),
    },
  ],
}

interface Times {
  readonly metric: string
  /** Milliseconds. */
  readonly times: readonly number[]
  /** For the 99th percentile. */
  readonly goal?: string
}

const percentiles = [
  ['p50', 0.5],
  ['p95', 0.95],
  ['p99', 0.99],
] as const

/** Percentiles of each repetition, never of all together. */
async function repeated(
  context: Context,
  measure: (number: number) => Promise<readonly Times[]>,
): Promise<Measurement[]> {
  const { sizes, progress } = context
  const found = new Map<string, Measurement & { readonly values: number[] }>()
  for (let repetition = 1; repetition <= sizes.repetitions; repetition++) {
    for (const { metric, times, goal } of await measure(repetition)) {
      const sorted = times.toSorted((a, b) => a - b)
      const texts = percentiles.map(([name, share]) => {
        const value = percentile(sorted, share)
        const key = `${metric} ${name}`
        const wanted = goal === undefined || name !== 'p99' ? {} : { goal }
        const measurement = found.get(key) ?? { metric: key, unit: 'ms', values: [], ...wanted }
        measurement.values.push(value)
        found.set(key, measurement)
        return `${name} ${value.toFixed(1)} ms`
      })
      progress.say(`repetition ${repetition}/${sizes.repetitions}: ${metric} ${texts.join(', ')}`)
    }
  }
  return [...found.values()]
}

function answersAndRows({ answerMs, rowMs = [] }: ClaimLatencyOutput, goal?: string): Times[] {
  return [
    { metric: 'to 202', times: answerMs },
    { metric: 'to row', times: rowMs, ...(goal === undefined ? {} : { goal }) },
  ]
}

interface HttpClaims {
  readonly prefer?: string
  readonly rows?: ClaimLatencyInput['rows']
  readonly environment?: Readonly<Record<string, string>>
}

let programs = 0

/** A program of its own for each call: what an earlier one left must not be in the way. */
async function claimsOverHttp(context: Context, claims: HttpClaims): Promise<ClaimLatencyOutput> {
  const directory = join(context.scope.directory, `program-${programs++}`)
  const program = await MeasuredProgram.start(directory, context, claims.environment)
  await program.openCoupon(couponId, stock)
  // Its SQL database is made after it is ready.
  await program.quiet()
  const schedule = scheduleOf(context)
  const target = { url: program.url, couponId, prefer: claims.prefer }
  const { rows } = claims
  const input = rows === undefined ? { target, schedule } : { target, schedule, rows }
  const output = await runChild(claimLatencyScript, input, { ...context, profileDirectory: undefined })
  const sent = schedule.perSecond * (schedule.warmupSeconds + schedule.seconds)
  await program.quiet()
  const issued = await program.issued(couponId)
  if (issued !== sent) throw new Error(`${issued} are issued, not ${sent}`)
  await program.stop()
  return output
}

function scheduleOf({ sizes }: Context): Schedule {
  return { perSecond: sizes.latencyPerSecond, seconds: sizes.latencySeconds, warmupSeconds }
}
