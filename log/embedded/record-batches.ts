import { asBuffer } from '#core'
import { batchField, logError } from '../index.ts'

/** The batches that lie back to back in `data`, as views. Errors: LOG_INVALID_REQUEST. */
export function splitBatches(data: Uint8Array, count: number): Buffer[] {
  const buffer = asBuffer(data)
  const batches: Buffer[] = []
  let at = 0
  while (at < buffer.length) {
    const size =
      at + batchField.records <= buffer.length
        ? batchField.leaderEpoch + buffer.readInt32BE(at + batchField.batchLength)
        : 0
    if (size < batchField.records || at + size > buffer.length) break
    batches.push(buffer.subarray(at, at + size))
    at += size
  }
  if (at !== buffer.length || batches.length !== count) {
    throw logError('LOG_INVALID_REQUEST', `Expected ${count} whole record batches in ${buffer.length} bytes.`)
  }
  return batches
}
