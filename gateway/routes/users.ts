import { pathId } from '../http/ids.ts'
import { instantText } from '../http/instant.ts'
import { encodeCursor, pageOf } from '../http/paging.ts'
import type { CouponReads } from '../options.ts'
import { fromStore } from './from-store.ts'
import { json } from './route.ts'
import type { Route } from './route.ts'

/** What a user holds, from the sink's store: it may lag behind the log. */
export function userRoutes(reads: CouponReads): Route[] {
  return [
    {
      path: '/api/v1/users/:userId/coupons',
      methods: {
        GET: async (context) => {
          const userId = pathId('userId', context.req.param('userId'))
          const { limit, after } = pageOf(
            (name) => context.req.query(name),
            (text) => (text === '' ? undefined : text),
          )
          const page = await fromStore(
            reads.userCoupons(userId, after === undefined ? { limit } : { cursor: after, limit }),
          )
          const items = page.items.map(({ couponId, name, sequence, issuedAt }) => ({
            couponId,
            name,
            sequence,
            issuedAt: instantText(issuedAt),
          }))
          const nextCursor = page.nextCursor === undefined ? null : encodeCursor(page.nextCursor)
          return json(200, { items, nextCursor })
        },
      },
    },
  ]
}
