import type { Context } from 'hono'
import { preferredType } from '../http/accept.ts'
import { instantText } from '../http/instant.ts'
import { encodeCursor, pageOf } from '../http/paging.ts'
import type { CouponReads } from '../options.ts'
import { fromStore } from './from-store.ts'
import { json } from './route.ts'

/** One page of a coupon's winners: JSON, or CSV for who prefers `text/csv`; both name the next page. */
export async function winnersPage(context: Context, couponId: string, reads: CouponReads): Promise<Response> {
  const { limit, after } = pageOf((name) => context.req.query(name), sequenceOf)
  const page = await fromStore(reads.winners(couponId, after === undefined ? { limit } : { after, limit }))
  const items = page.items.map(({ claimId, userId, sequence, issuedAt }) => ({
    claimId,
    userId,
    sequence,
    issuedAt: instantText(issuedAt),
  }))
  const nextCursor = page.next === undefined ? null : encodeCursor(String(page.next))
  const headers = { vary: 'accept' }
  const type = preferredType(context.req.header('accept'), ['application/json', 'text/csv'])
  if (type === 'application/json') return json(200, { items, nextCursor }, headers)
  // Ids and instants hold neither commas, quotes nor line breaks, so no field needs quoting (RFC 4180).
  const lines = items.map((item) => [item.sequence, item.userId, item.claimId, item.issuedAt].join(','))
  const next =
    nextCursor === null
      ? {}
      : { link: `<${context.req.path}?limit=${limit}&cursor=${nextCursor}>; rel="next"` }
  return new Response(['sequence,userId,claimId,issuedAt', ...lines, ''].join('\r\n'), {
    status: 200,
    headers: { 'content-type': 'text/csv; charset=utf-8; header=present', ...headers, ...next },
  })
}

function sequenceOf(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined
}
