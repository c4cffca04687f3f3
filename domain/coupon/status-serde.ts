import type { Serde } from '#topology'
import { statusText } from './coupon-json.ts'
import type { CouponStatus } from './messages.ts'

/** Statuses on `coupon-status`: JSON with members in a fixed order. Reading trusts the topic. */
export const statusSerde: Serde<CouponStatus> = {
  name: 'coupon-status',
  write: (status, out) => void out.utf8(statusText(status)),
  read: (buffer, start, end) => JSON.parse(buffer.toString('utf8', start, end)) as CouponStatus,
}
