/** What the gateway reads from the tables. Plain async methods, so they can be served to another thread. */
import { isMillraceError, systemClock } from '#core'
import type { Clock } from '#core'
import { sinkError } from './errors.ts'
import { integerOf } from './sql/database.ts'
import type { SqlDatabase, SqlParameter, SqlResult } from './sql/database.ts'

export interface Winner {
  readonly claimId: string
  readonly userId: string
  readonly sequence: number
  /** Milliseconds since the epoch. */
  readonly issuedAt: number
}

export interface HeldCoupon {
  readonly couponId: string
  readonly name: string | null
  readonly sequence: number
  /** Milliseconds since the epoch. */
  readonly issuedAt: number
}

/**
 * The tables lag behind the log by the sink. Only what is held now is listed.
 * Errors of both: SINK_STORE_UNAVAILABLE (the store is away, or not there yet), within about two seconds.
 */
export interface CouponReads {
  /** In order of sequence. @param options.after the last sequence already seen; `next` is the one to go on with */
  winners(
    couponId: string,
    options: { readonly after?: number; readonly limit: number },
  ): Promise<{ readonly items: Winner[]; readonly next?: number }>
  /** In order of coupon id. Errors: also SINK_INVALID_CURSOR (not one of ours). */
  userCoupons(
    userId: string,
    options: { readonly cursor?: string; readonly limit: number },
  ): Promise<{ readonly items: HeldCoupon[]; readonly nextCursor?: string }>
}

export interface CouponReadsOptions {
  readonly clock?: Clock
  /** Default 2000. */
  readonly timeoutMs?: number
}

export function createCouponReads(sql: SqlDatabase, options: CouponReadsOptions = {}): CouponReads {
  const { clock = systemClock, timeoutMs = 2000 } = options
  const query = (text: string, parameters: readonly SqlParameter[]): Promise<SqlResult> =>
    withinTime(sql.query(text, parameters), clock, timeoutMs)
  return {
    async winners(couponId, { after = 0, limit }) {
      const { rows } = await query(winnersText, [couponId, after, limit + 1])
      const items = rows.slice(0, limit).map((row) => ({
        claimId: String(row['claim_id']),
        userId: String(row['user_id']),
        sequence: integerOf(row['sequence']),
        issuedAt: integerOf(row['issued_ms']),
      }))
      const last = items.at(-1)
      return rows.length > limit && last !== undefined ? { items, next: last.sequence } : { items }
    },

    async userCoupons(userId, { cursor, limit }) {
      const [couponAfter, slotAfter] = cursor === undefined ? (['', 0] as const) : parseCursor(cursor)
      const { rows } = await query(userCouponsText, [userId, couponAfter, slotAfter, limit + 1])
      const shown = rows.slice(0, limit)
      const items = shown.map((row) => ({
        couponId: String(row['coupon_id']),
        name: row['name'] === null ? null : String(row['name']),
        sequence: integerOf(row['sequence']),
        issuedAt: integerOf(row['issued_ms']),
      }))
      const last = shown.at(-1)
      if (rows.length <= limit || last === undefined) return { items }
      return { items, nextCursor: formatCursor(String(last['coupon_id']), integerOf(last['slot'])) }
    },
  }
}

const issuedMs = '(extract(epoch from issued_at) * 1000)::bigint as issued_ms'

const winnersText = `
  select claim_id, user_id, sequence, ${issuedMs} from coupon_issue
  where coupon_id = $1 and sequence > $2::bigint and cancelled_at is null order by sequence limit $3::bigint`

/** Ordered as the index over held claims is. */
const userCouponsText = `
  select coupon_issue.coupon_id, coupon_issue.slot, coupon_issue.sequence, coupon.name, ${issuedMs}
  from coupon_issue left join coupon on coupon.coupon_id = coupon_issue.coupon_id
  where coupon_issue.user_id = $1 and coupon_issue.cancelled_at is null
    and (coupon_issue.coupon_id, coupon_issue.slot) > ($2::text collate "C", $3::integer)
  order by coupon_issue.coupon_id, coupon_issue.slot limit $4::bigint`

function formatCursor(couponId: string, slot: number): string {
  return Buffer.from(`${slot}/${couponId}`).toString('base64url')
}

function parseCursor(cursor: string): readonly [string, number] {
  const match = /^(\d{1,9})\/([^\0]*)$/.exec(Buffer.from(cursor, 'base64url').toString())
  if (match === null) {
    throw sinkError('SINK_INVALID_CURSOR', 'This cursor is none of ours. Start again without one.')
  }
  return [match[2] as string, Number(match[1])]
}

async function withinTime<T>(work: Promise<T>, clock: Clock, timeoutMs: number): Promise<T> {
  const over = new AbortController()
  const late = clock.sleep(timeoutMs, over.signal).then((): never => {
    throw sinkError(
      'SINK_STORE_UNAVAILABLE',
      `The database did not answer within ${timeoutMs} ms. Try again.`,
    )
  })
  // After the answer nobody listens to the timer any more.
  late.catch(() => {})
  try {
    return await Promise.race([work, late])
  } catch (error) {
    throw isMissingTable(error)
      ? sinkError(
          'SINK_STORE_UNAVAILABLE',
          'The tables are not there yet: the sink has not started. Try again.',
          {
            cause: error,
          },
        )
      : error
  } finally {
    over.abort()
  }
}

/** 42P01 undefined_table: read before the sink made it. */
function isMissingTable(error: unknown): boolean {
  return isMillraceError(error) && error.context['sqlState'] === '42P01'
}
