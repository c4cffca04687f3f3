/** Results as tests need them, with everything in place that is not said. */
import type { CouponResult, CouponSnapshot } from '#domain/coupon'
import { snapshot } from '../../domain/coupon/test-coupons.ts'

/** The nonce tells the offset. */
export function result(
  change: Partial<CouponResult> & Pick<CouponResult, 'offset' | 'outcome'>,
): CouponResult {
  return {
    partition: 0,
    nonce: change.offset.toString(16).padStart(16, '0'),
    command: 'issue',
    couponId: 'c',
    userId: 'u',
    decidedAt: 2000,
    ...change,
  }
}

export function opened(offset: number, coupon: CouponSnapshot = snapshot()): CouponResult {
  const { couponId, remaining, version } = coupon
  return result({
    offset,
    outcome: 'done',
    command: 'open',
    userId: 'op',
    couponId,
    remaining,
    version,
    coupon,
  })
}

/** The id of the claim decided at this offset of partition 0. */
export function claimId(offset: number): string {
  return `${offset.toString(16).padStart(16, '0')}-1-0-${offset}`
}
