/** The JSON of a coupon and its terms, as it stands in commands, results and statuses. */
import { numberOrNull, quoted, quotedOrNull } from './json-text.ts'
import type { CouponSnapshot, CouponStatus, Discount, OpeningTerms } from './messages.ts'

export function termsText(terms: OpeningTerms): string {
  return '{"stock":' + terms.stock + ',"name":' + quotedOrNull(terms.name) + sharedMembers(terms) + '}'
}

export function snapshotText(coupon: CouponSnapshot): string {
  return snapshotMembers(coupon) + '}'
}

export function statusText(status: CouponStatus): string {
  return snapshotMembers(status) + ',"partition":' + status.partition + ',"offset":' + status.offset + '}'
}

function snapshotMembers(coupon: CouponSnapshot): string {
  return (
    '{"couponId":' +
    quoted(coupon.couponId) +
    ',"version":' +
    coupon.version +
    ',"name":' +
    quotedOrNull(coupon.name) +
    ',"stock":' +
    coupon.stock +
    ',"remaining":' +
    coupon.remaining +
    sharedMembers(coupon) +
    ',"paused":' +
    coupon.paused +
    ',"closed":' +
    coupon.closed +
    ',"openedAt":' +
    coupon.openedAt
  )
}

function sharedMembers(terms: OpeningTerms): string {
  return (
    ',"perUserLimit":' +
    terms.perUserLimit +
    ',"startsAt":' +
    numberOrNull(terms.startsAt) +
    ',"endsAt":' +
    numberOrNull(terms.endsAt) +
    ',"discount":' +
    discountText(terms.discount) +
    ',"validUntil":' +
    numberOrNull(terms.validUntil)
  )
}

function discountText(discount: Discount | null): string {
  if (discount === null) return 'null'
  if ('percent' in discount) return '{"percent":' + discount.percent + '}'
  return '{"amount":' + discount.amount + ',"currency":' + quoted(discount.currency) + '}'
}
