/** The JSON of coupons and claims as clients see them. Members stand in a fixed order: ETags are over the bytes. */
import { stateOf } from '#domain/coupon'
import type { CouponSnapshot } from '#domain/coupon'
import { instantOrNull, instantText } from './http/instant.ts'
import type { ClaimState } from './views/claim-state.ts'

export function couponBody(coupon: CouponSnapshot, now: number): object {
  const { couponId, name, stock, remaining, perUserLimit, discount, version } = coupon
  return {
    couponId,
    name,
    state: stateOf(coupon, now),
    stock,
    issued: stock - remaining,
    remaining,
    perUserLimit,
    startsAt: instantOrNull(coupon.startsAt),
    endsAt: instantOrNull(coupon.endsAt),
    discount,
    validUntil: instantOrNull(coupon.validUntil),
    version,
  }
}

export function claimBody(claim: ClaimState): object {
  const { decidedAt, ...rest } = claim
  return decidedAt === undefined ? rest : { ...rest, decidedAt: instantText(decidedAt) }
}

export function claimPath(claimId: string): string {
  return `/api/v1/claims/${claimId}`
}

export function couponPath(couponId: string): string {
  return `/api/v1/coupons/${couponId}`
}
