import type { Context } from 'hono'
import type { Clock } from '#core'
import { isValidId, stateOf } from '#domain/coupon'
import type { CouponPhase } from '#domain/coupon'
import { readJson, readNothing } from '../http/body.ts'
import { taggedJson } from '../http/etag.ts'
import { idempotencyKeyOf } from '../http/idempotency-key.ts'
import { pathId } from '../http/ids.ts'
import { encodeCursor, pageOf } from '../http/paging.ts'
import { invalidRequest } from '../http/problem.ts'
import type { CouponReads } from '../options.ts'
import { couponBody, couponPath } from '../representations.ts'
import { openingOf, restockOf } from '../schemas.ts'
import type { OperatorAction, OperatorAnswer, Operators } from '../services/operators.ts'
import type { CouponView } from '../views/coupon-view.ts'
import { json } from './route.ts'
import type { Route } from './route.ts'
import { winnersPage } from './winners.ts'

export interface CouponRouteOptions {
  /** Errors: log-unavailable, before there is a log. */
  readonly operators: () => Operators
  readonly coupons: () => CouponView
  readonly reads: CouponReads
  readonly clock: Clock
  /** Errors: unauthenticated, forbidden. */
  readonly checkOperator: (request: Request) => void
}

export function couponRoutes(options: CouponRouteOptions): Route[] {
  const { checkOperator } = options
  const path = '/api/v1/coupons/:couponId'
  return [
    {
      path: '/api/v1/coupons',
      methods: { GET: (context) => list(context, options), POST: (context) => open(context, options) },
    },
    { path, methods: { GET: (context) => show(context, options) } },
    {
      path: `${path}/claims`,
      methods: {
        GET: async (context) => {
          checkOperator(context.req.raw)
          const { snapshot } = await options.operators().show(couponIdOf(context))
          return winnersPage(context, snapshot.couponId, options.reads)
        },
      },
    },
    {
      path: `${path}/restock`,
      methods: {
        POST: (context) =>
          change(context, options, async () => ({
            command: 'restock',
            add: restockOf(await readJson(context.req.raw)),
          })),
      },
    },
    ...(['pause', 'resume', 'close'] as const).map((command) => ({
      path: `${path}/${command}`,
      methods: {
        POST: (context: Context) =>
          change(context, options, async () => {
            await readNothing(context.req.raw)
            return { command }
          }),
      },
    })),
  ]
}

function couponIdOf(context: Context): string {
  return pathId('couponId', context.req.param('couponId'))
}

async function open(context: Context, options: CouponRouteOptions): Promise<Response> {
  options.checkOperator(context.req.raw)
  const { couponId, terms } = openingOf(await readJson(context.req.raw))
  const { entry, changed } = await decide(context, options, couponId, { command: 'open', terms })
  const body = couponBody(entry.snapshot, options.clock.now())
  return json(changed ? 201 : 200, body, { location: couponPath(couponId) })
}

async function change(
  context: Context,
  options: CouponRouteOptions,
  actionOf: () => Promise<OperatorAction>,
): Promise<Response> {
  options.checkOperator(context.req.raw)
  const { entry } = await decide(context, options, couponIdOf(context), await actionOf())
  return json(200, couponBody(entry.snapshot, options.clock.now()))
}

function decide(
  context: Context,
  options: CouponRouteOptions,
  couponId: string,
  action: OperatorAction,
): Promise<OperatorAnswer> {
  return options.operators().decide({
    couponId,
    action,
    idempotencyKey: idempotencyKeyOf(context.req.header('idempotency-key')),
    traceparent: context.req.header('traceparent'),
  })
}

async function show(context: Context, options: CouponRouteOptions): Promise<Response> {
  const { snapshot } = await options.operators().show(couponIdOf(context))
  const body = JSON.stringify(couponBody(snapshot, options.clock.now()))
  return taggedJson(body, context.req.header('if-none-match'))
}

const states: readonly CouponPhase[] = ['closed', 'ended', 'paused', 'scheduled', 'sold-out', 'open']

function list(context: Context, options: CouponRouteOptions): Response {
  const { limit, after } = pageOf(
    (name) => context.req.query(name),
    (text) => (isValidId(text) ? text : undefined),
  )
  const wanted = stateFilter(context.req.query('state'))
  const now = options.clock.now()
  const items: object[] = []
  let lastId = ''
  for (const { snapshot } of options.coupons().after(after)) {
    if (wanted !== undefined && stateOf(snapshot, now) !== wanted) continue
    if (items.length === limit) return json(200, { items, nextCursor: encodeCursor(lastId) })
    items.push(couponBody(snapshot, now))
    lastId = snapshot.couponId
  }
  return json(200, { items, nextCursor: null })
}

function stateFilter(text: string | undefined): CouponPhase | undefined {
  const state = states.find((each) => each === text)
  if (text === undefined || state !== undefined) return state
  throw invalidRequest([{ path: 'state', detail: `must be one of ${states.join(', ')}` }])
}
