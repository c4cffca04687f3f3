import { RecordCursor } from '#log'
import { peekCounts, peekResult } from '#domain/coupon'
import type { ResultCounts } from '#domain/coupon'
import type { CouponView } from './coupon-view.ts'

/**
 * Takes pieces left and version of each coupon in a batch of results from the last one that tells them. Only keys are
 * read of all the others.
 */
export function foldCounts(batch: Buffer, startOffset: number, coupons: CouponView): void {
  const last = new Map<string, { start: number; end: number }>()
  // A command that could not be decided has a result without counts; such a batch is rare and read record by record.
  const complete = !batch.includes(undecided)
  const cursor = new RecordCursor([batch], startOffset)
  let key: Buffer | undefined
  let place = { start: 0, end: 0 }
  while (cursor.next()) {
    const { buffer, keyStart, keyEnd, valueStart, valueEnd } = cursor
    // Runs of one coupon are common; a comparison is much cheaper than a string and a look-up.
    if (key === undefined || key.compare(buffer, keyStart, keyEnd) !== 0) {
      key = buffer.subarray(keyStart, keyEnd)
      const couponId = key.toString('latin1')
      const known = last.get(couponId)
      if (known === undefined) last.set(couponId, (place = { start: 0, end: 0 }))
      else place = known
    }
    if (complete || peekCounts(buffer, valueStart, valueEnd, counts).version !== undefined) {
      place.start = valueStart
      place.end = valueEnd
    }
  }
  for (const [couponId, { start, end }] of last) {
    if (end === 0) continue
    const { version, remaining } = peekCounts(batch, start, end, counts)
    if (version === undefined || remaining === undefined) continue
    const { partition, offset } = peekResult(batch, start, end)
    coupons.applyCounts(couponId, { version, remaining, partition, offset })
  }
}

const counts: ResultCounts = { decidedAt: 0, remaining: undefined, version: undefined }
const undecided = Buffer.from('"reason":"internal-error"')
