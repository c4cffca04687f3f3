/**
 * Answers a second of the real program, against a bare Hono route that parses and answers as much.
 *
 * Both get the same load from the same generator in short rounds in turn, so that what the machine does besides hits
 * both; the program is at rest before the peer's round.
 */
import { join } from 'node:path'
import type { BareAnswer } from '../children/bare-hono.ts'
import type { ProgramEnvironment } from '../../cli/demo/program.ts'
import { startBareHono } from '../load/bare-hono.ts'
import { claimsPath } from '../load/claim-request.ts'
import { closedLoop, loadGenerator } from '../load/closed-loop.ts'
import type { ClosedLoop } from '../load/closed-loop.ts'
import { MeasuredProgram } from '../load/program.ts'
import type { Bench, Context, Measurement, Variant } from '../runner/bench.ts'

interface AnswerKind {
  readonly name: string
  readonly summary: string
  readonly stock: number
  readonly prefer: string | undefined
  readonly status: number
  /** Ratio to the peer, by connections. */
  readonly goals: Readonly<Record<number, string>>
  readonly environment?: ProgramEnvironment
}

const plenty = 1e12
const connectionCounts = [64, 256]
const kinds: readonly AnswerKind[] = [
  {
    name: 'durable',
    summary: 'claims appended durably and answered 202',
    stock: plenty,
    prefer: undefined,
    status: 202,
    goals: { 64: 'ratio ≥ 0.7', 256: 'ratio ≥ 0.9' },
  },
  {
    name: 'durable-without-sink',
    summary: 'the same while the SQL copy is held back, to tell what that costs on few cores',
    stock: plenty,
    prefer: undefined,
    status: 202,
    goals: {},
    environment: { SINK_ROWS_PER_SECOND: '1' },
  },
  {
    name: 'wait',
    summary: 'claims answered with their decision (Prefer: wait)',
    stock: plenty,
    prefer: 'wait=10',
    status: 201,
    goals: {},
  },
  {
    name: 'sold-out',
    summary: 'claims of a coupon that is sold out, refused from memory',
    stock: 1,
    prefer: undefined,
    status: 409,
    goals: { 64: 'ratio ≥ 0.95', 256: 'ratio ≥ 0.95' },
  },
]

export const gateway: Bench = {
  name: 'gateway',
  summary: `HTTP answers of the whole program against a bare Hono route (load by ${loadGenerator})`,
  variants: kinds.flatMap((kind) => connectionCounts.map((connections) => variant(kind, connections))),
}

function variant(kind: AnswerKind, connections: number): Variant {
  return {
    name: `${kind.name}-${connections}`,
    summary: `${kind.summary}, ${connections} connections`,
    measure: (context) => measure(context, kind, connections),
  }
}

const couponId = 'measured'
/** As long as the users of the load, and none of them. */
const sampleUser = 'x0-12345'

async function measure(context: Context, kind: AnswerKind, connections: number): Promise<Measurement[]> {
  const { sizes, scope, progress } = context
  const program = await MeasuredProgram.start(join(scope.directory, 'program'), context, kind.environment)
  await program.openCoupon(couponId, kind.stock)
  const peer = await startBareHono(await sampleAnswer(program, kind), scope)
  const { prefer, status } = kind
  const rate = async (url: string, userPrefix: string): Promise<number> => {
    const seconds = sizes.gatewayRoundSeconds
    const load: ClosedLoop = { url, couponId, prefer, connections, seconds, userPrefix }
    const result = await closedLoop(load, context)
    const refused = status >= 400 ? result.answers : 0
    if (result.refused !== refused) throw new Error(`${result.refused} of ${result.answers} were refused`)
    return result.answers / result.seconds
  }

  // The first round of both is not counted: it compiles.
  const values: number[] = []
  const peerValues: number[] = []
  for (let round = 0; round <= sizes.gatewayRounds; round++) {
    const peerValue = await rate(peer, `p${round}-`)
    const value = await rate(program.url, `s${round}-`)
    await program.quiet()
    if (round === 0) continue
    values.push(value)
    peerValues.push(peerValue)
    progress.say(
      `round ${round}/${sizes.gatewayRounds}: ${Math.round(value)} of ${Math.round(peerValue)} answers/s`,
    )
  }
  await check(program, kind)
  await program.stop()
  const goal = kind.goals[connections]
  return [{ metric: 'answers', unit: '1/s', values, peerValues, ...(goal === undefined ? {} : { goal }) }]
}

/** What the peer will answer. The first claim of a coupon with one piece gets it, the second is the sample. */
async function sampleAnswer(program: MeasuredProgram, kind: AnswerKind): Promise<BareAnswer> {
  if (kind.status === 409) {
    await post(program, 'first', 'wait=10')
    await program.quiet()
  }
  const response = await post(program, sampleUser, kind.prefer)
  if (response.status !== kind.status) throw new Error(`the sample was answered ${response.status}`)
  const headers: Record<string, string> = {}
  // The server's own headers are the peer's too.
  for (const [name, value] of response.headers) {
    if (!['connection', 'content-length', 'date', 'keep-alive'].includes(name)) headers[name] = value
  }
  return { status: response.status, headers, body: await response.text() }
}

function post(program: MeasuredProgram, userId: string, prefer: string | undefined): Promise<Response> {
  return fetch(program.url + claimsPath(couponId), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(prefer === undefined ? {} : { prefer }) },
    body: JSON.stringify({ userId }),
  })
}

/** Every accepted claim is issued exactly once, and of a sold-out coupon none. */
async function check(program: MeasuredProgram, { status, stock }: AnswerKind): Promise<void> {
  const answered = await program.counter('millrace_http_requests_total', `status="${status}"`)
  const issued = await program.issued(couponId)
  // Opening the coupon was answered 201 too, and asked for with `wait` the first claim of a sold-out coupon.
  const expected = status === 409 ? stock : answered - (status === 201 ? 1 : 0)
  if (issued !== expected) throw new Error(`${issued} are issued, not ${expected}`)
}
