import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteReader, ByteWriter, latin1Text, prefixEnd, utf8Text } from './bytes.ts'

/** Bytes that `write` appends to a writer too small for them. */
function written(write: (out: ByteWriter) => void): Buffer {
  const out = new ByteWriter(1)
  write(out)
  return out.toBuffer()
}

const safeInteger = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer(),
  fc.constantFrom(0, -1, 1e9 - 1, 1e9, 1e18 / 1000),
)

describe('numbers come back as they were written', () => {
  test('decimal digits are those of String', () => {
    fc.assert(
      fc.property(safeInteger, (value) => {
        expect(written((out) => out.decimal(value)).toString()).toBe(String(value))
      }),
      { seed: 1, numRuns: 2000 },
    )
  })

  test('varint, uvarint and i64', () => {
    fc.assert(
      fc.property(safeInteger, (value) => {
        const bytes = written((out) => {
          out.varint(Math.trunc(value / 2))
          out.uvarint(Math.abs(value))
          out.i64(value)
        })
        const reader = new ByteReader(bytes)
        expect([reader.varint(), reader.uvarint(), reader.i64()]).toEqual([
          Math.trunc(value / 2) + 0,
          Math.abs(value),
          value,
        ])
        expect(reader.remaining).toBe(0)
      }),
      { seed: 1, numRuns: 2000 },
    )
  })

  test('fixed widths', () => {
    const reader = new ByteReader(
      written((out) => {
        out.u8(255)
        out.u16(65_535)
        out.u32(4_294_967_295)
        out.f64(-1.5)
      }),
    )
    expect([reader.u8(), reader.u16(), reader.u32(), reader.f64()]).toEqual([
      255, 65_535, 4_294_967_295, -1.5,
    ])
  })
})

describe('texts', () => {
  test('of any kind come back, with their length in front', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), (texts) => {
        const reader = new ByteReader(
          written((out) => {
            for (const text of texts) out.text(text)
          }),
        )
        expect(texts.map(() => reader.text())).toEqual(texts)
      }),
      { seed: 1 },
    )
  })

  test('ascii writes what utf8 writes', () => {
    const text = String.fromCodePoint(...Array.from({ length: 0x80 }, (_, code) => code))
    expect(written((out) => out.ascii(text))).toEqual(written((out) => out.utf8(text)))
  })

  test('are cut out of a buffer', () => {
    const buffer = Buffer.from('añb')
    expect(utf8Text(buffer, 1, 3)).toBe('ñ')
    expect(latin1Text(buffer, 1, 3)).toBe('Ã±')
  })
})

test('truncate forgets what came after', () => {
  const bytes = written((out) => {
    out.ascii('kept')
    const { length } = out
    out.ascii('lost')
    out.truncate(length)
    out.ascii('!')
  })
  expect(bytes.toString()).toBe('kept!')
})

test('reading past the end is an error, not garbage', () => {
  const reader = new ByteReader(Buffer.from([0x85, 1, 2]), 0, 2)
  expect(() => reader.u32()).toThrow(RangeError)
  expect(reader.uvarint()).toBe(133)
  expect(() => reader.u8()).toThrow(RangeError)
})

test.each([
  ['61', '62'],
  ['61ff', '62'],
  ['00ff00', '00ff01'],
  ['ffff', undefined],
  ['', undefined],
])('the prefix %s ends before %s', (prefix, end) => {
  expect(prefixEnd(Buffer.from(prefix, 'hex'))?.toString('hex')).toBe(end)
})
