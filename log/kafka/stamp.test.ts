import { expect, it } from 'vitest'
import { readI64 } from '#core'
import { RecordBatchBuilder, batchAttribute, batchField } from '../index.ts'
import { crc32c } from './crc32c.ts'
import { sequenceAfter, stamp } from './stamp.ts'

it('counts sequences on, and begins again after 2^31 - 1', () => {
  expect(sequenceAfter(0, 5)).toBe(5)
  expect(sequenceAfter(2 ** 31 - 3, 2)).toBe(2 ** 31 - 1)
  expect(sequenceAfter(2 ** 31 - 1, 1)).toBe(0)
  expect(sequenceAfter(2 ** 31 - 2, 5)).toBe(3)
})

it('writes the producer into the batch, again and again', () => {
  const builder = new RecordBatchBuilder()
  builder.append('k', 'v', 1000)
  const batch = builder.finish()
  for (const id of [7, 2 ** 40 + 3]) {
    stamp(batch, { id, epoch: 32_767 }, 2 ** 31 - 1, batchAttribute.transactional)
    expect(readI64(batch, batchField.producerId)).toBe(id)
    expect(batch.readInt16BE(batchField.producerEpoch)).toBe(32_767)
    expect(batch.readInt32BE(batchField.baseSequence)).toBe(2 ** 31 - 1)
    expect(batch.readInt16BE(batchField.attributes)).toBe(0x10)
    expect(batch.readUInt32BE(batchField.crc)).toBe(crc32c(batch, batchField.attributes))
  }
})
