import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Serde } from './index.ts'
import { bytes, decode, encode, int64, json, keyValueStore, nullable, setStore, utf8 } from './index.ts'

function returns<T>(serde: Serde<T>, values: fc.Arbitrary<T>): void {
  fc.assert(
    fc.property(values, (value) => {
      const encoded = encode(serde, value)
      const padded = Buffer.concat([Buffer.from([7]), encoded, Buffer.from([7])])
      expect(serde.read(padded, 1, 1 + encoded.length)).toEqual(value)
    }),
    { seed: 1 },
  )
}

test('utf8 returns what it wrote', () => returns(utf8, fc.string({ unit: 'grapheme' })))
test('int64 returns what it wrote', () => returns(int64, fc.maxSafeInteger()))
test('json returns what it wrote', () => {
  // Through JSON once before: it has no -0.
  const values = fc.jsonValue().map((value): unknown => JSON.parse(JSON.stringify(value)))
  returns(json(), values)
})

test('int64 sorts as numbers do', () => {
  const pair = fc.tuple(fc.maxSafeInteger(), fc.maxSafeInteger())
  fc.assert(
    fc.property(pair, ([a, b]) => {
      expect(encode(int64, a).compare(encode(int64, b))).toBe(Math.sign(a - b) + 0)
    }),
    { seed: 1 },
  )
})

test('int64 refuses another width', () => {
  expect(() => decode(int64, Buffer.alloc(4))).toThrow(RangeError)
})

test('bytes are read as a copy', () => {
  const buffer = Buffer.from([1, 2, 3])
  const read = bytes.read(buffer, 1, 3)
  buffer.fill(0)
  expect(Array.from(read)).toEqual([2, 3])
})

test('json checks what it reads', () => {
  const positive = json((value) => {
    if (typeof value !== 'number' || value <= 0) throw new TypeError('not positive')
    return value
  })
  expect(decode(positive, Buffer.from('5'))).toBe(5)
  expect(() => decode(positive, Buffer.from('-5'))).toThrow('not positive')
  expect(() => decode(positive, Buffer.from('{'))).toThrow(SyntaxError)
})

test('nullable says so and keeps the encoding', () => {
  expect(nullable(int64).nullable).toBe(true)
  expect(encode(nullable(int64), 3)).toEqual(encode(int64, 3))
})

test.each(['', 'Totals', 'a/b', '.a', '-a', 'a'.repeat(101)])('"%s" cannot name a store', (name) => {
  expect(() => keyValueStore({ name, key: utf8, value: int64 })).toThrow(
    expect.objectContaining({ code: 'TOPOLOGY_INVALID_NAME' }),
  )
  expect(() => setStore({ name, key: utf8, member: utf8, value: int64 })).toThrow('is not a store name')
})
