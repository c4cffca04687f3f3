import { MillraceError } from '#core'
import type { CouponReads } from '#sink'

/** The lists from SQL, answered only while the tables follow this log. Errors besides: SINK_STORE_UNAVAILABLE. */
export function readsWhile(follows: () => boolean, reads: CouponReads): CouponReads {
  const check = (): void => {
    if (follows()) return
    throw new MillraceError('SINK_STORE_UNAVAILABLE', 'The SQL copy is not kept up; the log says why.', {
      domain: 'external',
      reaction: 'retry',
      retrySafe: true,
    })
  }
  return {
    async winners(couponId, page) {
      check()
      return reads.winners(couponId, page)
    },
    async userCoupons(userId, page) {
      check()
      return reads.userCoupons(userId, page)
    },
  }
}
