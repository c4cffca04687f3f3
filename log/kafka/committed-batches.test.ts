import { gzipSync, zstdCompressSync } from 'node:zlib'
import { compressionsAlgorithms } from '@platformatic/kafka'
import { describe, expect, it } from 'vitest'
import { writeI64 } from '#core'
import { RecordBatchBuilder, RecordCursor, batchAttribute, batchField } from '../index.ts'
import { committedBatches } from './committed-batches.ts'
import { crc32c } from './crc32c.ts'
import { stamp } from './stamp.ts'

function batch(baseOffset: number, values: readonly string[], producerId = -1, attributes = 0): Buffer {
  const builder = new RecordBatchBuilder()
  for (const value of values) builder.append('key', value, 1000)
  const bytes = Buffer.from(builder.finish())
  writeI64(bytes, batchField.baseOffset, baseOffset)
  stamp(bytes, { id: producerId, epoch: 0 }, 0, attributes)
  return bytes
}

const inTransaction = (baseOffset: number, value: string, producerId: number): Buffer =>
  batch(baseOffset, [value], producerId, batchAttribute.transactional)

/** A control batch: key = version i16, type i16 (0 abort, 1 commit); value = version i16, coordinator epoch i32. */
function marker(offset: number, producerId: number, type: 0 | 1): Buffer {
  const builder = new RecordBatchBuilder()
  builder.append(Buffer.from([0, 0, 0, type]), Buffer.from([0, 0, 0, 0, 0, 0]), 1000)
  const bytes = Buffer.from(builder.finish())
  writeI64(bytes, batchField.baseOffset, offset)
  stamp(bytes, { id: producerId, epoch: 0 }, -1, batchAttribute.transactional | batchAttribute.control)
  return bytes
}

function compressed(plain: Buffer, type: number, compress: (records: Buffer) => Uint8Array): Buffer {
  const records = compress(plain.subarray(batchField.records))
  const bytes = Buffer.concat([plain.subarray(0, batchField.records), records])
  bytes.writeInt32BE(bytes.length - batchField.leaderEpoch, batchField.batchLength)
  bytes.writeInt16BE(type, batchField.attributes)
  bytes.writeUInt32BE(crc32c(bytes, batchField.attributes), batchField.crc)
  return bytes
}

function valuesOf(batches: readonly Buffer[]): string[] {
  const cursor = new RecordCursor(batches)
  const values: string[] = []
  while (cursor.next()) values.push(cursor.value()?.toString() ?? '')
  return values
}

describe('what a read_committed reader sees', () => {
  it('is everything outside of aborted transactions, without markers', () => {
    const records = Buffer.concat([
      batch(0, ['plain', 'too']),
      inTransaction(2, 'aborted', 7),
      inTransaction(3, 'committed', 8),
      batch(4, ['idempotent'], 7),
      marker(5, 7, 0),
      inTransaction(6, 'after', 7),
      marker(7, 8, 1),
      marker(8, 7, 1),
    ])
    const found = committedBatches(records, 0, [{ producerId: 7, firstOffset: 2 }])
    expect(valuesOf(found.batches)).toEqual(['plain', 'too', 'committed', 'idempotent', 'after'])
    expect(found.nextOffset).toBe(9)
  })

  it('leaves a transaction aborted behind a commit marker that came before it', () => {
    const records = Buffer.concat([
      inTransaction(0, 'first', 7),
      marker(1, 7, 1),
      inTransaction(2, 'second', 7),
      inTransaction(3, 'third', 7),
      marker(4, 7, 0),
    ])
    const aborted = [{ producerId: 7, firstOffset: 2 }]
    expect(valuesOf(committedBatches(records, 0, aborted).batches)).toEqual(['first'])
  })

  it('is not ended by a commit marker of the same producer', () => {
    const records = Buffer.concat([marker(10, 7, 1), inTransaction(11, 'aborted', 7), marker(12, 7, 0)])
    // The broker names the transaction although the fetch begins behind its first offset.
    const aborted = [{ producerId: 7, firstOffset: 5 }]
    expect(committedBatches(records, 10, aborted)).toEqual({ batches: [], nextOffset: 13 })
  })

  it('takes several aborted transactions of a producer in any order', () => {
    const records = Buffer.concat([
      inTransaction(0, 'no', 7),
      marker(1, 7, 0),
      inTransaction(2, 'yes', 7),
      marker(3, 7, 1),
      inTransaction(4, 'no', 7),
      marker(5, 7, 0),
    ])
    const aborted = [
      { producerId: 7, firstOffset: 4 },
      { producerId: 7, firstOffset: 0 },
    ]
    expect(valuesOf(committedBatches(records, 0, aborted).batches)).toEqual(['yes'])
  })

  it('ends before a batch that is cut off, and begins inside one', () => {
    const records = Buffer.concat([batch(0, ['a', 'b', 'c']), batch(3, ['d'])])
    const found = committedBatches(records.subarray(0, -1), 1, [])
    expect(found.batches).toHaveLength(1)
    expect(found.nextOffset).toBe(3)
    expect(committedBatches(records.subarray(0, 30), 0, [])).toEqual({ batches: [], nextOffset: 0 })
  })

  it('passes over what compaction left empty', () => {
    const empty = Buffer.from(batch(5, ['x']).subarray(0, batchField.records))
    empty.writeInt32BE(empty.length - batchField.leaderEpoch, batchField.batchLength)
    empty.writeInt32BE(0, batchField.count)
    empty.writeUInt32BE(crc32c(empty, batchField.attributes), batchField.crc)
    expect(committedBatches(empty, 3, [])).toEqual({ batches: [], nextOffset: 6 })
  })

  it.each([
    ['gzip', 1, (records: Buffer) => gzipSync(records)],
    ['snappy', 2, (records: Buffer) => compressionsAlgorithms.snappy.compressSync(records)],
    ['lz4', 3, (records: Buffer) => compressionsAlgorithms.lz4.compressSync(records)],
    ['zstd', 4, (records: Buffer) => zstdCompressSync(records)],
  ])('is decompressed: %s', (_, type, compress) => {
    const values = ['a', 'b'.repeat(1000), 'c']
    const found = committedBatches(compressed(batch(0, values), type, compress), 0, [])
    expect(valuesOf(found.batches)).toEqual(values)
  })

  it('is never damaged', () => {
    const damaged = batch(0, ['value'])
    damaged[damaged.length - 3] = 0
    expect(() => committedBatches(damaged, 0, [])).toThrow(expect.objectContaining({ code: 'LOG_CORRUPT' }))
    const old = batch(0, ['value'])
    old[batchField.magic] = 1
    expect(() => committedBatches(old, 0, [])).toThrow(/older than/)
    const strange = compressed(batch(0, ['value']), 5, (records) => records)
    expect(() => committedBatches(strange, 0, [])).toThrow(/compression 5/)
  })
})
