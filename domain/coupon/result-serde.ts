/**
 * Results on `coupon-result`: JSON in a fixed layout that `peekResult` and `peekCounts` read without parsing.
 *
 * It begins `{"partition":P,"offset":O,"nonce":"…","command":"…","outcome":"…"`, then `"idempotencyKey"` if there is
 * one, then `"userId"`; and ends `"decidedAt":T,"remaining":R,"version":V}` unless a whole coupon follows.
 */
import type { Serde } from '#topology'
import { snapshotText } from './coupon-json.ts'
import { quoted } from './json-text.ts'
import type { CouponResult, FirstOutcome } from './messages.ts'

/** Reading trusts the topic: only the processor writes it. */
export const resultSerde: Serde<CouponResult> = {
  name: 'coupon-result',
  write: (result, out) => void out.utf8(resultText(result)),
  read: (buffer, start, end) => JSON.parse(buffer.toString('utf8', start, end)) as CouponResult,
}

function resultText(result: CouponResult): string {
  let text =
    '{"partition":' +
    result.partition +
    ',"offset":' +
    result.offset +
    ',"nonce":' +
    quoted(result.nonce) +
    ',"command":"' +
    result.command +
    '","outcome":"' +
    result.outcome +
    '"'
  if (result.idempotencyKey !== undefined) text += ',"idempotencyKey":' + quoted(result.idempotencyKey)
  text += ',"userId":' + quoted(result.userId) + ',"couponId":' + quoted(result.couponId)
  if (result.reason !== undefined) text += ',"reason":"' + result.reason + '"'
  if (result.sequence !== undefined) text += ',"sequence":' + result.sequence
  if (result.slot !== undefined) text += ',"slot":' + result.slot
  if (result.sequences !== undefined) text += ',"sequences":[' + result.sequences.join(',') + ']'
  if (result.claimId !== undefined) text += ',"claimId":' + quoted(result.claimId)
  if (result.first !== undefined) text += ',"first":' + firstText(result.first)
  text += ',"decidedAt":' + result.decidedAt
  if (result.remaining !== undefined) text += ',"remaining":' + result.remaining
  if (result.version !== undefined) text += ',"version":' + result.version
  if (result.coupon !== undefined) text += ',"coupon":' + snapshotText(result.coupon)
  return text + '}'
}

function firstText(first: FirstOutcome): string {
  let text =
    '{"offset":' + first.offset + ',"nonce":' + quoted(first.nonce) + ',"outcome":"' + first.outcome + '"'
  if (first.reason !== undefined) text += ',"reason":"' + first.reason + '"'
  if (first.sequence !== undefined) text += ',"sequence":' + first.sequence
  return text + ',"decidedAt":' + first.decidedAt + '}'
}
