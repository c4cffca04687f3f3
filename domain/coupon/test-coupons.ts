/** Coupons as tests need them, with everything in place that is not said. */
import type { CouponSnapshot, OpeningTerms } from './messages.ts'

export function terms(change: Partial<OpeningTerms> = {}): OpeningTerms {
  return {
    stock: 10,
    name: null,
    perUserLimit: 1,
    startsAt: null,
    endsAt: null,
    discount: null,
    validUntil: null,
    ...change,
  }
}

export function snapshot(change: Partial<CouponSnapshot> = {}): CouponSnapshot {
  return {
    ...terms(),
    couponId: 'c',
    remaining: 10,
    paused: false,
    closed: false,
    openedAt: 1000,
    version: 1,
    ...change,
  }
}
