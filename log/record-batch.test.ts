import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  RecordBatchBuilder,
  RecordCursor,
  baseOffsetOf,
  batchAttribute,
  batchField,
  endOffsetOf,
  filterBatch,
} from './record-batch.ts'
import { writeI64 } from '#core'

interface TestRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly timestamp: number
  readonly headers: { key: string; value: Buffer | null }[]
}

const bytes = fc
  .oneof(
    { weight: 8, arbitrary: fc.uint8Array({ maxLength: 40 }) },
    { weight: 1, arbitrary: fc.uint8Array({ minLength: 60, maxLength: 70 }) },
    { weight: 1, arbitrary: fc.nat({ max: 40_000 }).map((size) => new Uint8Array(size).fill(size)) },
  )
  .map((array) => Buffer.from(array))
const nullable = fc.option(bytes, { freq: 5 })
const record: fc.Arbitrary<TestRecord> = fc.record({
  key: nullable,
  value: nullable,
  timestamp: fc.integer({ min: 0, max: 4_000_000_000_000 }),
  headers: fc.array(fc.record({ key: fc.string({ unit: 'grapheme', maxLength: 8 }), value: nullable }), {
    maxLength: 3,
  }),
})
const records = fc.array(record, { minLength: 1, maxLength: 12 })

function build(all: readonly TestRecord[], builder = new RecordBatchBuilder(16)): Buffer {
  for (const one of all) builder.append(one.key, one.value, one.timestamp, one.headers)
  return builder.finish()
}

function read(cursor: RecordCursor): (TestRecord & { offset: number })[] {
  const found: (TestRecord & { offset: number })[] = []
  while (cursor.next()) {
    found.push({
      offset: cursor.offset,
      key: cursor.key(),
      value: cursor.value(),
      timestamp: cursor.timestamp,
      headers: cursor.headers().map(({ key, value }) => ({ key, value: value as Buffer | null })),
    })
    expect(cursor.hasHeaders).toBe(found.at(-1)?.headers.length !== 0)
  }
  return found
}

const withOffsets = (all: readonly TestRecord[], base = 0): object[] =>
  all.map((one, index) => ({ ...one, offset: base + index }))

describe('a record batch', () => {
  it('has the bytes that Kafka writes', () => {
    const builder = new RecordBatchBuilder()
    builder.append('k', 'v1', 1000)
    builder.append(null, null, 1005, [{ key: 'h', value: 'x' }])
    const expected = [
      '0000000000000000', // base offset
      '00000046', // bytes that follow
      'ffffffff', // leader epoch
      '02', // magic
      '00000000', // crc, left to the driver
      '0000', // attributes
      '00000001', // last offset delta
      '00000000000003e8', // base timestamp
      '00000000000003ed', // max timestamp
      'ffffffffffffffff', // producer id
      'ffff', // producer epoch
      'ffffffff', // base sequence
      '00000002', // count
      '12 00 00 00 02 6b 04 7631 00', // length 9, attributes, deltas 0 and 0, "k", "v1", no headers
      '14 00 0a 02 01 01 02 02 68 02 78', // length 10, attributes, deltas 5 and 1, null, null, one header
    ]
    expect(builder.finish().toString('hex')).toBe(expected.join('').replaceAll(' ', ''))
  })

  it('gives back what was written', () => {
    fc.assert(
      fc.property(records, fc.nat({ max: 2 ** 50 }), (all, base) => {
        const batch = build(all)
        writeI64(batch, batchField.baseOffset, base)
        expect(baseOffsetOf(batch)).toBe(base)
        expect(endOffsetOf(batch)).toBe(base + all.length)
        expect(read(new RecordCursor([batch]))).toEqual(withOffsets(all, base))
      }),
    )
  })

  it('is the same written piece by piece', () => {
    fc.assert(
      fc.property(records, (all) => {
        const whole = Buffer.from(build(all))
        const builder = new RecordBatchBuilder(16)
        for (const one of all) {
          builder.begin(one.timestamp)
          for (const field of [one.key, one.value]) {
            if (field === null) builder.writeField(null)
            else {
              builder.openField().bytes(field)
              builder.closeField()
            }
          }
          builder.end(one.headers)
        }
        expect(builder.finish().equals(whole)).toBe(true)
      }),
    )
  })

  it('is the same after a rollback as if the rest had never been written', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 6 }), records, records, (kept, dropped, later) => {
        const builder = new RecordBatchBuilder(16)
        build(kept, builder)
        const mark = builder.mark()
        const size = builder.byteLength
        build(dropped, builder)
        builder.rollback(mark)
        expect(builder.byteLength).toBe(size)
        expect(builder.count).toBe(kept.length)
        const batch = Buffer.from(build(later, builder))
        expect(batch.equals(build([...kept, ...later]))).toBe(true)
      }),
    )
  })

  it('is the same whenever its memory has to grow', () => {
    const all = [0, 1, 2, 3, 4, 5].map((size) => ({
      key: Buffer.alloc(size, 1),
      value: Buffer.alloc(100, 2),
      timestamp: 1,
      // Short strings late in a record are where the memory may end between a field and its length.
      headers: [
        { key: 'h', value: Buffer.alloc(size, 3) },
        { key: 'header'.slice(size), value: null },
      ],
    }))
    const expected = Buffer.from(build(all, new RecordBatchBuilder(4096)))
    for (let capacity = 1; capacity < expected.length + 20; capacity++) {
      expect(build(all, new RecordBatchBuilder(capacity)).equals(expected)).toBe(true)
    }
  })

  it('counts the bytes of each record, and starts over after reset', () => {
    const builder = new RecordBatchBuilder()
    const empty = builder.byteLength
    const size = builder.append('key', 'x'.repeat(300), 5)
    expect(builder.byteLength).toBe(empty + size)
    expect(builder.maxTimestamp).toBe(5)
    builder.reset()
    expect([builder.byteLength, builder.count, builder.maxTimestamp]).toEqual([empty, 0, 0])
  })

  it('carries one timestamp for all when the log stamped it', () => {
    const builder = new RecordBatchBuilder()
    builder.append('a', '1', 1000)
    builder.append('b', '2', 2000)
    const batch = builder.finish()
    batch.writeInt16BE(batchAttribute.logAppendTime, batchField.attributes)
    writeI64(batch, batchField.maxTimestamp, 7777)
    expect(read(new RecordCursor([batch])).map(({ timestamp }) => timestamp)).toEqual([7777, 7777])
  })
})

describe('RecordCursor', () => {
  it('walks several batches, from an offset inside of one', () => {
    fc.assert(
      fc.property(records, records, fc.nat({ max: 24 }), (first, second, start) => {
        const batches = [Buffer.from(build(first)), Buffer.from(build(second))]
        writeI64(batches[1] as Buffer, batchField.baseOffset, first.length)
        const expected = withOffsets([...first, ...second]).slice(start)
        expect(read(new RecordCursor(batches, start))).toEqual(expected)
      }),
    )
  })

  it('finds nothing in no batches', () => {
    expect(new RecordCursor([]).next()).toBe(false)
  })
})

describe('filterBatch', () => {
  it('keeps what is chosen, at its offset and with its time', () => {
    fc.assert(
      fc.property(records, fc.nat({ max: 4095 }), fc.nat({ max: 1000 }), (all, choice, base) => {
        const batch = Buffer.from(build(all))
        writeI64(batch, batchField.baseOffset, base)
        const chosen = (offset: number): boolean => ((choice >> (offset - base)) & 1) === 1
        const kept = filterBatch(batch, (cursor) => chosen(cursor.offset))
        const expected = (withOffsets(all, base) as { offset: number }[]).filter((one) => chosen(one.offset))
        if (kept === undefined) expect(expected).toEqual([])
        else {
          expect(read(new RecordCursor([kept]))).toEqual(expected)
          expect(endOffsetOf(kept)).toBe(base + all.length)
          expect(kept.readInt32BE(batchField.batchLength)).toBe(kept.length - batchField.leaderEpoch)
        }
      }),
    )
  })
})
