import { logError } from './errors.ts'
import { RecordBatchBuilder, RecordCursor } from './record-batch.ts'

/**
 * A transaction's records as batches that the topic takes: one, unless they are more than `maxBytes`. The first one
 * is a view of the builder. No records, no batch. Errors: LOG_RECORD_TOO_LARGE (one record alone is more).
 */
export function fittingBatches(records: RecordBatchBuilder, maxBytes: number, topic: string): Buffer[] {
  if (records.count === 0) return []
  const whole = records.finish()
  if (whole.length <= maxBytes) return [whole]
  const batches: Buffer[] = []
  const part = new RecordBatchBuilder(maxBytes)
  const cursor = new RecordCursor([whole])
  while (cursor.next()) {
    const mark = part.mark()
    const headers = cursor.hasHeaders ? cursor.headers() : []
    part.append(cursor.key(), cursor.value(), cursor.timestamp, headers)
    if (part.byteLength <= maxBytes) continue
    part.rollback(mark)
    if (part.count > 0) batches.push(Buffer.from(part.finish()))
    part.reset()
    const size = part.append(cursor.key(), cursor.value(), cursor.timestamp, headers)
    if (part.byteLength > maxBytes) {
      throw logError(
        'LOG_RECORD_TOO_LARGE',
        `A record of ${size} bytes is larger than ${topic} takes (${maxBytes} bytes a batch).`,
      )
    }
  }
  batches.push(Buffer.from(part.finish()))
  return batches
}
