/** The commands that benchmarks append: coupons as plain as can be, claims of one user each. */
import type { CouponCommand } from '#domain/coupon'

const nonce = '0123456789abcdef'

export function openCommand(couponId: string, stock: number): CouponCommand {
  const open = { startsAt: null, endsAt: null, discount: null, validUntil: null }
  return {
    command: 'open',
    couponId,
    by: 'operator',
    nonce,
    terms: { stock, name: null, perUserLimit: 1, ...open },
  }
}

/** The same index is the same user. */
export function issueCommand(couponId: string, index: number): CouponCommand {
  const userId = `user-${index}`
  return { command: 'issue', couponId, by: userId, nonce, userId }
}
