/**
 * Results on `coupon-result`: JSON in a fixed layout that `peekResult` and `peekCounts` read without parsing.
 *
 * It begins `{"partition":P,"offset":O,"nonce":"…","command":"…","outcome":"…"`, then `"idempotencyKey"` if there is
 * one, then `"userId"`; and ends `"decidedAt":T,"remaining":R,"version":V}` unless a whole coupon follows.
 */
import { utf8Text } from '#core'
import type { ByteWriter } from '#core'
import type { Serde } from '#topology'
import { snapshotText } from './coupon-json.ts'
import { writeQuoted } from './json-text.ts'
import type { CouponResult, FirstOutcome } from './messages.ts'

/** Reading trusts the topic: only the processor writes it. */
export const resultSerde: Serde<CouponResult> = {
  name: 'coupon-result',
  write: writeResult,
  read: (buffer, start, end) => JSON.parse(utf8Text(buffer, start, end)) as CouponResult,
}

/** Straight into the batch: the hottest encoding there is, one for every decision. */
function writeResult(result: CouponResult, out: ByteWriter): void {
  out.ascii('{"partition":')
  out.decimal(result.partition)
  out.ascii(',"offset":')
  out.decimal(result.offset)
  out.ascii(',"nonce":')
  writeQuoted(result.nonce, out)
  out.ascii(',"command":"')
  out.ascii(result.command)
  out.ascii('","outcome":"')
  out.ascii(result.outcome)
  out.ascii('"')
  if (result.idempotencyKey !== undefined) {
    out.ascii(',"idempotencyKey":')
    writeQuoted(result.idempotencyKey, out)
  }
  out.ascii(',"userId":')
  writeQuoted(result.userId, out)
  out.ascii(',"couponId":')
  writeQuoted(result.couponId, out)
  if (result.reason !== undefined) {
    out.ascii(',"reason":"')
    out.ascii(result.reason)
    out.ascii('"')
  }
  writeMember(',"sequence":', result.sequence, out)
  writeMember(',"slot":', result.slot, out)
  if (result.sequences !== undefined) out.ascii(',"sequences":[' + result.sequences.join(',') + ']')
  if (result.claimId !== undefined) {
    out.ascii(',"claimId":')
    writeQuoted(result.claimId, out)
  }
  if (result.first !== undefined) writeFirst(result.first, out)
  writeMember(',"decidedAt":', result.decidedAt, out)
  writeMember(',"remaining":', result.remaining, out)
  writeMember(',"version":', result.version, out)
  if (result.coupon !== undefined) {
    out.ascii(',"coupon":')
    out.utf8(snapshotText(result.coupon))
  }
  out.ascii('}')
}

function writeFirst(first: FirstOutcome, out: ByteWriter): void {
  writeMember(',"first":{"offset":', first.offset, out)
  out.ascii(',"nonce":')
  writeQuoted(first.nonce, out)
  out.ascii(',"outcome":"' + first.outcome + '"')
  if (first.reason !== undefined) out.ascii(',"reason":"' + first.reason + '"')
  writeMember(',"sequence":', first.sequence, out)
  writeMember(',"decidedAt":', first.decidedAt, out)
  out.ascii('}')
}

/** An integer after its name; nothing when there is none. */
function writeMember(name: string, value: number | undefined, out: ByteWriter): void {
  if (value === undefined) return
  out.ascii(name)
  out.decimal(value)
}
