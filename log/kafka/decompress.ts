import { compressionsAlgorithmsByBitmask } from '@platformatic/kafka'
import { messageOf } from '#core'
import { batchAttribute, batchField, logError } from '../index.ts'

/**
 * The batch with its records uncompressed (gzip, snappy, lz4, zstd); the batch itself when they are already.
 * Errors: LOG_CORRUPT.
 */
export function decompress(batch: Buffer): Buffer {
  const attributes = batch.readInt16BE(batchField.attributes)
  const compression = attributes & batchAttribute.compression
  if (compression === 0) return batch
  const records = decompressed(batch.subarray(batchField.records), compression)
  const plain = Buffer.allocUnsafeSlow(batchField.records + records.length)
  batch.copy(plain, 0, 0, batchField.records)
  plain.set(records, batchField.records)
  plain.writeInt16BE(attributes & ~batchAttribute.compression, batchField.attributes)
  plain.writeInt32BE(plain.length - batchField.leaderEpoch, batchField.batchLength)
  return plain
}

function decompressed(records: Buffer, compression: number): Uint8Array {
  try {
    const algorithm = compressionsAlgorithmsByBitmask[compression]
    if (algorithm === undefined) throw new Error(`compression ${compression} is unknown`)
    return algorithm.decompressSync(records)
  } catch (error) {
    throw logError('LOG_CORRUPT', `A record batch cannot be decompressed: ${messageOf(error)}.`, {
      cause: error,
    })
  }
}
