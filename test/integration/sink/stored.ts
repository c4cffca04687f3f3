/** What the stores hold, as plain values, and what they must hold. */
import { Redis } from 'ioredis'
import { expect } from 'vitest'
import { foldResults } from '#domain/coupon'
import type { CouponResult } from '#domain/coupon'
import type { SqlDatabase } from '#sink'
import type { ResultLog } from '../../../sink/testing/result-log.ts'
import { claimIdOf, topics } from './coupon-history.ts'

const ms = (column: string): string => `(extract(epoch from ${column}) * 1000)::float8 as ${column}`

/** Every row of every table, exactly. */
export async function expectTables(
  database: SqlDatabase,
  log: ResultLog,
  results: CouponResult[],
): Promise<void> {
  const view = foldResults(results)
  const rows = async (text: string): Promise<unknown[]> => [...(await database.query(text)).rows]
  const claims = [...view.claims.values()].toSorted((a, b) => (a.claimId < b.claimId ? -1 : 1))

  const coupons = await rows(
    `select coupon_id, name, stock::float8, remaining::float8, per_user_limit, ${ms('starts_at')}, ${ms('ends_at')},
       discount_percent, discount_amount::float8, discount_currency, ${ms('valid_until')}, paused, closed,
       ${ms('opened_at')}, version::float8 from coupon order by coupon_id`,
  )
  const expected = [...view.coupons.values()].toSorted((a, b) => (a.couponId < b.couponId ? -1 : 1))
  expect(coupons).toEqual(
    expected.map((coupon) => ({
      coupon_id: coupon.couponId,
      name: coupon.name,
      stock: coupon.stock,
      remaining: coupon.remaining,
      per_user_limit: coupon.perUserLimit,
      starts_at: coupon.startsAt,
      ends_at: coupon.endsAt,
      discount_percent:
        coupon.discount !== null && 'percent' in coupon.discount ? coupon.discount.percent : null,
      discount_amount:
        coupon.discount !== null && 'amount' in coupon.discount ? coupon.discount.amount : null,
      discount_currency:
        coupon.discount !== null && 'currency' in coupon.discount ? coupon.discount.currency : null,
      valid_until: coupon.validUntil,
      paused: coupon.paused,
      closed: coupon.closed,
      opened_at: coupon.openedAt,
      version: coupon.version,
    })),
  )
  expect(
    await rows(
      `select claim_id, coupon_id, user_id, sequence::float8, slot, ${ms('issued_at')}, ${ms('cancelled_at')}
       from coupon_issue order by claim_id`,
    ),
  ).toEqual(
    claims
      .filter(({ status }) => status !== 'rejected')
      .map((claim) => ({
        claim_id: claim.claimId,
        coupon_id: claim.couponId,
        user_id: claim.userId,
        sequence: claim.sequence,
        slot: claim.slot,
        issued_at: claim.decidedAt,
        cancelled_at: claim.cancelledAt ?? null,
      })),
  )
  expect(
    await rows(
      `select claim_id, coupon_id, user_id, reason, ${ms('rejected_at')} from claim_rejected order by claim_id`,
    ),
  ).toEqual(
    claims
      .filter(({ status }) => status === 'rejected')
      .map((claim) => ({
        claim_id: claim.claimId,
        coupon_id: claim.couponId,
        user_id: claim.userId,
        reason: claim.reason,
        rejected_at: claim.decidedAt,
      })),
  )
  const offsets = await rows('select partition, log_id, topic from sink_offset order by partition')
  for (const row of offsets)
    expect(row).toMatchObject({ log_id: `${log.clusterId}/${log.topicId}`, topic: topics.result })
}

/** Every key, exactly. Claims past their retention are the caller's to leave out. */
export async function expectKeys(redis: Redis, log: ResultLog, results: CouponResult[]): Promise<void> {
  const view = foldResults(results)
  const expected = new Map<string, unknown>()
  const available: string[] = []
  for (const coupon of view.coupons.values()) {
    const open = !coupon.closed && !coupon.paused && coupon.remaining > 0
    if (open) available.push(coupon.couponId)
    expected.set(`coupon:available:${coupon.couponId}`, String(open))
    const { discount, ...plain } = coupon
    const fields = {
      ...plain,
      issued: coupon.stock - coupon.remaining,
      ...(discount && { discount: JSON.stringify(discount) }),
    }
    expected.set(
      `coupon:view:${coupon.couponId}`,
      Object.fromEntries(
        Object.entries(fields).flatMap(([name, value]) => (value === null ? [] : [[name, String(value)]])),
      ),
    )
  }
  if (available.length > 0) expected.set('coupons:available', available.toSorted())
  for (const result of results) {
    if (result.command !== 'issue') continue
    const claimId = claimIdOf(result)
    const first = view.repeats.get(claimId)
    const claim = view.claims.get(claimId)
    const { userId, couponId, sequence } = result
    // A repeat tells what the first claim's outcome was when it was made.
    const status = first === undefined ? claim?.status : result.first?.outcome
    expected.set(
      `claim:${claimId}`,
      expect.objectContaining({ claimId, couponId, userId, status, ...(first && { first }) }),
    )
    if (result.outcome !== 'issued') continue
    const key = `user:${userId}:coupons`
    const held = (expected.get(key) ?? {}) as Record<string, unknown>
    held[`${couponId}/${sequence}`] = expect.objectContaining({
      couponId,
      sequence,
      claimId,
      status: claim?.status,
    })
    expected.set(key, held)
  }
  expected.set(`sink:owner:${topics.result}`, `${log.clusterId}/${log.topicId}`)
  expected.set(`sink:offset:${log.clusterId}/${log.topicId}:${topics.result}`, expect.anything())
  expect(await dump(redis)).toEqual(Object.fromEntries(expected))
}

async function dump(redis: Redis): Promise<Record<string, unknown>> {
  const dumped: Record<string, unknown> = {}
  for (const key of await redis.keys('*')) {
    const type = await redis.type(key)
    if (type === 'set') dumped[key] = (await redis.smembers(key)).toSorted()
    else if (type === 'string') dumped[key] = parsed(await redis.get(key))
    else {
      const fields = await redis.hgetall(key)
      dumped[key] = Object.fromEntries(
        Object.entries(fields).map(([name, value]) => [
          name,
          key.startsWith('user:') ? parsed(value) : value,
        ]),
      )
    }
  }
  return dumped
}

function parsed(text: string | null): unknown {
  return text?.startsWith('{') === true ? JSON.parse(text) : text
}
