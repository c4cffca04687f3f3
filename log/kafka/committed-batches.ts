/** Which of the fetched batches a read_committed reader may see. */
import { readI64 } from '#core'
import {
  baseOffsetOf,
  batchAttribute,
  batchField,
  batchOverheadBytes,
  endOffsetOf,
  logError,
} from '../index.ts'
import { crc32c } from './crc32c.ts'
import { decompress } from './decompress.ts'
import type { AbortedTransaction } from './protocol/fetch.ts'

export interface CommittedBatches {
  /** Uncompressed, in offset order. */
  readonly batches: readonly Buffer[]
  /** After the last batch, whether it counts or not. */
  readonly nextOffset: number
}

/** Version of a batch's format that all brokers since 0.11 write. */
const magic = 2
/** A control batch holds one record, whose key is its version and type; it starts behind five one-byte fields. */
const controlTypeAt = batchField.records + 7
const abortMarker = 0

/**
 * Drops control batches and batches of aborted transactions. A producer's batches count as aborted from the first offset
 * of an aborted transaction of its until that one's abort marker; a commit marker ends nothing.
 * @param records as a fetch brings them: the last batch may be cut off
 * @param from the position asked for; batches wholly below it are passed over
 * Errors: LOG_CORRUPT.
 */
export function committedBatches(
  records: Buffer,
  from: number,
  aborted: readonly AbortedTransaction[],
): CommittedBatches {
  const batches: Buffer[] = []
  const pending = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset)
  const active = new Set<number>()
  let nextAborted = 0
  let nextOffset = from
  for (let at = 0; at + batchOverheadBytes <= records.length;) {
    const size = records.readInt32BE(at + batchField.batchLength) + batchField.leaderEpoch
    if (size < batchOverheadBytes) throw corrupt(from, `a batch of ${size} bytes`)
    if (at + size > records.length) break
    const batch = records.subarray(at, at + size)
    at += size
    const end = endOffsetOf(batch)
    check(batch)
    for (; nextAborted < pending.length; nextAborted++) {
      const transaction = pending[nextAborted] as AbortedTransaction
      if (transaction.firstOffset >= end) break
      active.add(transaction.producerId)
    }
    const attributes = batch.readInt16BE(batchField.attributes)
    const producerId = readI64(batch, batchField.producerId)
    if ((attributes & batchAttribute.control) !== 0) {
      const isAbort = batch.length > controlTypeAt + 1 && batch.readInt16BE(controlTypeAt) === abortMarker
      if (isAbort) active.delete(producerId)
    } else if ((attributes & batchAttribute.transactional) === 0 || !active.has(producerId)) {
      // Compaction leaves a batch without records where the last one of a producer was.
      if (end > from && batch.readInt32BE(batchField.count) > 0) batches.push(decompress(batch))
    }
    if (end > nextOffset) nextOffset = end
  }
  return { batches, nextOffset }
}

function check(batch: Buffer): void {
  if (batch[batchField.magic] !== magic) {
    throw corrupt(baseOffsetOf(batch), `a batch in format ${batch[batchField.magic]}, older than Kafka 0.11`)
  }
  if (crc32c(batch, batchField.attributes) !== batch.readUInt32BE(batchField.crc))
    throw corrupt(baseOffsetOf(batch), 'a batch whose checksum does not fit')
}

function corrupt(offset: number, what: string): Error {
  return logError(
    'LOG_CORRUPT',
    `At offset ${offset} lies ${what}. Read on behind it only if it may be missing.`,
  )
}
