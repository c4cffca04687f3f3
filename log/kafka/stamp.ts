import { writeI64 } from '#core'
import { batchField } from '../index.ts'
import { crc32c } from './crc32c.ts'
import type { ProducerIdentity } from './protocol/init-producer-id.ts'

/** Sequences count records of one producer and partition, and begin again after 2^31 - 1. */
const sequenceLimit = 0x8000_0000

export function sequenceAfter(sequence: number, records: number): number {
  return (sequence + records) % sequenceLimit
}

/** Writes who sends the batch, and its checksum, into the batch itself. May be done again with other values. */
export function stamp(batch: Buffer, producer: ProducerIdentity, baseSequence: number, attributes = 0): void {
  batch.writeInt16BE(attributes, batchField.attributes)
  writeI64(batch, batchField.producerId, producer.id)
  batch.writeInt16BE(producer.epoch, batchField.producerEpoch)
  batch.writeInt32BE(baseSequence, batchField.baseSequence)
  batch.writeUInt32BE(crc32c(batch, batchField.attributes), batchField.crc)
}
