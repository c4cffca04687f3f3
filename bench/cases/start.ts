/** How long the whole program takes to start, seen from outside: from spawning the process to the first 200. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '#core'
import { freePort } from '../../test/servers/free-port.ts'
import { claimsOf, couponIdOf } from '../engine/claims.ts'
import type { ClaimsSpec } from '../engine/claims.ts'
import { MeasuredProgram } from '../load/program.ts'
import { untilWinner, winnersOverHttp } from '../load/winners.ts'
import type { Bench, Context, Measurement } from '../runner/bench.ts'
import { processed } from './prepare.ts'

const coupons = 100
const pollMs = 5
const startTimeoutMs = 60_000
/** Starts are short and spread much. */
const startsARepetition = 3

export const start: Bench = {
  name: 'start',
  summary: 'from spawning the process to the first 200',
  variants: [
    {
      name: 'empty',
      summary: 'without any data',
      measure: (context) =>
        measure(context, async (number) => {
          const directory = join(context.scope.directory, `empty-${number}`)
          await mkdir(directory)
          return directory
        }),
    },
    {
      name: 'full',
      summary: 'with the log, state and view of decided claims, stopped in order before',
      measure: async (context) => {
        const directory = await withClaims(context)
        return measure(context, async () => directory)
      },
    },
  ],
}

async function measure(
  context: Context,
  directoryOf: (number: number) => Promise<string>,
): Promise<Measurement[]> {
  const { sizes, progress } = context
  const starts = sizes.repetitions * startsARepetition
  const live: number[] = []
  const ready: number[] = []
  for (let number = 1; number <= starts; number++) {
    const times = await timedStart(await directoryOf(number), context)
    live.push(times.liveMs)
    ready.push(times.readyMs)
    progress.say(
      `start ${number}/${starts}: live after ${Math.round(times.liveMs)} ms, ready after ${Math.round(times.readyMs)} ms`,
    )
  }
  return [
    { metric: 'to /livez', unit: 'ms', values: live },
    { metric: 'to /readyz', unit: 'ms', values: ready },
  ]
}

async function timedStart(
  directory: string,
  context: Context,
): Promise<{ readonly liveMs: number; readonly readyMs: number }> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const startedAt = performance.now()
  const starting = MeasuredProgram.start(directory, context, { PORT: String(port) })
  const live = until200(`${url}/livez`, startedAt)
  const ready = until200(`${url}/readyz`, startedAt)
  const [program, liveMs, readyMs] = await Promise.all([starting, live, ready])
  await program.quiet()
  await program.stop()
  return { liveMs, readyMs }
}

async function until200(url: string, startedAt: number): Promise<number> {
  for (;;) {
    const status = await fetch(url).then(
      async (answer) => {
        await answer.body?.cancel()
        return answer.status
      },
      () => undefined,
    )
    const elapsed = performance.now() - startedAt
    if (status === 200) return elapsed
    if (elapsed > startTimeoutMs) throw new Error(`${url} did not answer 200 within ${startTimeoutMs} ms`)
    await systemClock.sleep(pollMs)
  }
}

/** A data directory in which everything has been decided, followed and loaded by an earlier run of the program. */
async function withClaims(context: Context): Promise<string> {
  const { startRecords } = context.sizes
  const workload: ClaimsSpec = { kind: 'claims', claims: startRecords, coupons, stock: startRecords }
  const directory = await processed(context, workload)
  context.progress.say('letting the program follow and load them')
  const program = await MeasuredProgram.start(directory, { ...context, profileDirectory: undefined })
  for (let coupon = 0; coupon < coupons; coupon++) {
    const couponId = couponIdOf(coupon)
    const expected = claimsOf(workload, coupon)
    const issued = await program.issued(couponId)
    if (issued !== expected) throw new Error(`${issued} of ${couponId} are issued, not ${expected}`)
    await loaded(program, couponId, expected)
  }
  await program.quiet()
  await program.stop()
  return directory
}

/** Resolves once the coupon's last winner is in the SQL database. */
async function loaded(program: MeasuredProgram, couponId: string, issued: number): Promise<void> {
  const winners = winnersOverHttp(program.url, couponId)
  try {
    await untilWinner(winners, issued)
  } finally {
    await winners.close()
  }
}
