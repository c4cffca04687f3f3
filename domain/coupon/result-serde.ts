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

const text = {
  partition: Buffer.from('{"partition":'),
  offset: Buffer.from(',"offset":'),
  nonce: Buffer.from(',"nonce":'),
  command: Buffer.from(',"command":"'),
  outcome: Buffer.from('","outcome":"'),
  quote: Buffer.from('"'),
  idempotencyKey: Buffer.from(',"idempotencyKey":'),
  userId: Buffer.from(',"userId":'),
  couponId: Buffer.from(',"couponId":'),
  reason: Buffer.from(',"reason":"'),
  sequence: Buffer.from(',"sequence":'),
  slot: Buffer.from(',"slot":'),
  claimId: Buffer.from(',"claimId":'),
  decidedAt: Buffer.from(',"decidedAt":'),
  remaining: Buffer.from(',"remaining":'),
  version: Buffer.from(',"version":'),
  coupon: Buffer.from(',"coupon":'),
  end: Buffer.from('}'),
  first: Buffer.from(',"first":{"offset":'),
}

/** Straight into the batch: the hottest encoding there is, one for every decision. */
function writeResult(result: CouponResult, out: ByteWriter): void {
  out.literal(text.partition)
  out.decimal(result.partition)
  out.literal(text.offset)
  out.decimal(result.offset)
  out.literal(text.nonce)
  writeQuoted(result.nonce, out)
  out.literal(text.command)
  out.ascii(result.command)
  out.literal(text.outcome)
  out.ascii(result.outcome)
  out.literal(text.quote)
  if (result.idempotencyKey !== undefined) {
    out.literal(text.idempotencyKey)
    writeQuoted(result.idempotencyKey, out)
  }
  out.literal(text.userId)
  writeQuoted(result.userId, out)
  out.literal(text.couponId)
  writeQuoted(result.couponId, out)
  if (result.reason !== undefined) {
    out.literal(text.reason)
    out.ascii(result.reason)
    out.literal(text.quote)
  }
  writeMember(text.sequence, result.sequence, out)
  writeMember(text.slot, result.slot, out)
  if (result.sequences !== undefined) out.ascii(',"sequences":[' + result.sequences.join(',') + ']')
  if (result.claimId !== undefined) {
    out.literal(text.claimId)
    writeQuoted(result.claimId, out)
  }
  if (result.first !== undefined) writeFirst(result.first, out)
  writeMember(text.decidedAt, result.decidedAt, out)
  writeMember(text.remaining, result.remaining, out)
  writeMember(text.version, result.version, out)
  if (result.coupon !== undefined) {
    out.literal(text.coupon)
    out.utf8(snapshotText(result.coupon))
  }
  out.literal(text.end)
}

function writeFirst(first: FirstOutcome, out: ByteWriter): void {
  writeMember(text.first, first.offset, out)
  out.literal(text.nonce)
  writeQuoted(first.nonce, out)
  out.ascii(',"outcome":"' + first.outcome + '"')
  if (first.reason !== undefined) out.ascii(',"reason":"' + first.reason + '"')
  writeMember(text.sequence, first.sequence, out)
  writeMember(text.decidedAt, first.decidedAt, out)
  out.literal(text.end)
}

/** An integer after its name; nothing when there is none. */
function writeMember(name: Uint8Array, value: number | undefined, out: ByteWriter): void {
  if (value === undefined) return
  out.literal(name)
  out.decimal(value)
}
