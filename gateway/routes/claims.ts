import type { Context } from 'hono'
import type { Clock } from '#core'
import { formatClaimId } from '#domain/coupon'
import type { ClaimPosition, GateCode } from '#domain/coupon'
import { readJson, readNothing } from '../http/body.ts'
import { taggedJson } from '../http/etag.ts'
import { idempotencyKeyOf } from '../http/idempotency-key.ts'
import { pathId } from '../http/ids.ts'
import { instantText } from '../http/instant.ts'
import { waitSeconds } from '../http/prefer.ts'
import { cannedProblem, problem } from '../http/problem.ts'
import type { ProblemDetails } from '../http/problem.ts'
import { claimBody, claimPath } from '../representations.ts'
import { claimingUserOf } from '../schemas.ts'
import type { Claims, Placement } from '../services/claims.ts'
import type { ClaimState } from '../views/claim-state.ts'
import { json } from './route.ts'
import type { Route } from './route.ts'

export interface ClaimRouteOptions {
  /** Errors: log-unavailable, before there is a log. */
  readonly claims: () => Claims
  readonly clock: Clock
  readonly onRefused: (code: string) => void
}

/** How long a client may leave a pending claim alone, seconds. */
const pendingRetryAfter = '1'

export function claimRoutes(options: ClaimRouteOptions): Route[] {
  return [
    {
      path: '/api/v1/coupons/:couponId/claims',
      methods: { POST: (context) => place(context, options) },
    },
    {
      path: '/api/v1/claims/:claimId',
      methods: {
        GET: (context) => show(context, options),
        DELETE: (context) => cancel(context, options),
      },
    },
  ]
}

async function place(context: Context, options: ClaimRouteOptions): Promise<Response> {
  const request = context.req.raw
  const couponId = pathId('couponId', context.req.param('couponId'))
  const userId = claimingUserOf(await readJson(request))
  const idempotencyKey = idempotencyKeyOf(request.headers.get('idempotency-key') ?? undefined)
  const traceparent = request.headers.get('traceparent') ?? undefined
  const claims = options.claims()
  const placement = await claims.place({ couponId, userId, idempotencyKey, traceparent })
  if (placement.kind === 'refused') return refused(placement, options)

  const { position } = placement
  const wait = claims.canWait ? waitSeconds(request.headers.get('prefer') ?? undefined) : undefined
  if (wait === undefined && placement.kind === 'placed') return accepted(position, couponId, userId)
  const claim = await claims.outcome(position, couponId, userId, (wait ?? 0) * 1000)
  const applied = appliedHeaders(wait)
  // To who did not ask to wait a repeat is answered like the first time, unless the gate would refuse him now.
  const tellsOutcome = wait !== undefined || (placement.kind === 'repeat' && !placement.gateOpen)
  if (claim.status === 'pending' || !tellsOutcome) return stillAccepted(claim, applied)
  if (claim.status === 'rejected') {
    return rejected(claim, applied, () => comeBack(claims.startsAt(couponId), options.clock))
  }
  // A repeat of a claim that was given back since creates nothing any more.
  const status = claim.status === 'cancelled' ? 200 : 201
  return json(status, claimBody(claim), { location: claimPath(claim.claimId), ...applied })
}

/** The hot answer: ids are of an alphabet that needs no escaping. */
function accepted(position: ClaimPosition, couponId: string, userId: string): Response {
  const claimId = formatClaimId(position)
  return new Response(
    `{"claimId":"${claimId}","couponId":"${couponId}","userId":"${userId}","status":"pending"}`,
    {
      status: 202,
      headers: {
        'content-type': 'application/json',
        location: claimPath(claimId),
        'retry-after': pendingRetryAfter,
      },
    },
  )
}

function stillAccepted(claim: ClaimState, headers: Readonly<Record<string, string>>): Response {
  return json(202, claimBody(claim), {
    location: claimPath(claim.claimId),
    ...(claim.status === 'pending' ? { 'retry-after': pendingRetryAfter } : {}),
    ...headers,
  })
}

function rejected(
  claim: ClaimState,
  applied: Readonly<Record<string, string>>,
  whenStarting: () => ProblemDetails,
): Response {
  const { claimId, reason = 'internal-error', sequences } = claim
  const members = sequences === undefined ? { claimId, reason } : { claimId, reason, sequences }
  if (reason !== 'not-started') return problem(reason, { members, headers: applied })
  const start = whenStarting()
  return problem(reason, {
    ...start,
    members: { ...members, ...start.members },
    headers: { ...applied, ...start.headers },
  })
}

function appliedHeaders(wait: number | undefined): Readonly<Record<string, string>> {
  return wait === undefined ? {} : { 'preference-applied': `wait=${wait}` }
}

const gateRefusals: Readonly<Record<Exclude<GateCode, 'not-started'>, () => Response>> = {
  closed: cannedProblem('closed', { detail: 'The coupon is closed. Nothing was written.' }),
  ended: cannedProblem('ended', { detail: 'The coupon has ended. Nothing was written.' }),
  paused: cannedProblem('paused', { detail: 'The coupon is paused. Nothing was written; try again later.' }),
  'sold-out': cannedProblem('sold-out', { detail: 'Every piece is issued. Nothing was written.' }),
}

function refused(
  { code, startsAt }: Extract<Placement, { kind: 'refused' }>,
  { clock, onRefused }: ClaimRouteOptions,
): Response {
  onRefused(code)
  if (code !== 'not-started') return gateRefusals[code]()
  return problem('not-started', comeBack(startsAt ?? null, clock))
}

/** What both the gate and the log tell who came before the start. */
function comeBack(startsAt: number | null, clock: Clock): ProblemDetails {
  if (startsAt === null) return {}
  const seconds = Math.max(1, Math.ceil((startsAt - clock.now()) / 1000))
  return {
    detail: `The coupon starts at ${instantText(startsAt)}. Claim again then.`,
    members: { startsAt: instantText(startsAt) },
    headers: { 'retry-after': String(seconds) },
  }
}

async function show(context: Context, options: ClaimRouteOptions): Promise<Response> {
  const claims = options.claims()
  const wait = claims.canWait ? waitSeconds(context.req.header('prefer')) : undefined
  const claim = await claims.state(context.req.param('claimId') ?? '', (wait ?? 0) * 1000)
  return taggedJson(JSON.stringify(claimBody(claim)), context.req.header('if-none-match'), {
    ...(claim.status === 'pending' ? { 'retry-after': pendingRetryAfter } : {}),
    ...appliedHeaders(wait),
  })
}

async function cancel(context: Context, options: ClaimRouteOptions): Promise<Response> {
  await readNothing(context.req.raw)
  const claim = await options
    .claims()
    .cancel(context.req.param('claimId') ?? '', context.req.header('traceparent'))
  return json(200, claimBody(claim))
}
