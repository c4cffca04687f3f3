import { expect, test } from 'vitest'
import { roughSize } from './value-size.ts'

test.each([
  ['text', 'x'.repeat(1000)],
  ['bytes', new Uint8Array(1000)],
  ['a member', { name: 'a', text: 'x'.repeat(1000) }],
  ['bytes in a member', { payload: new Uint8Array(1000) }],
  ['a member of a member', { inner: { text: 'x'.repeat(1000) } }],
  ['many texts', Array.from({ length: 10 }, () => 'x'.repeat(100))],
])('sees %s of 1000 bytes', (_, value) => {
  expect(roughSize(value)).toBeGreaterThanOrEqual(1000)
  expect(roughSize(value)).toBeLessThan(2000)
})

test.each([
  ['number', 7],
  ['null', null],
  ['undefined', undefined],
  ['symbol', Symbol('removed')],
])('a %s is small', (_, value) => {
  expect(roughSize(value)).toBeLessThan(100)
})
