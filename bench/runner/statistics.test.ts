import { describe, expect, it } from 'vitest'
import { percentile, summarize } from './statistics.ts'

describe('summarize', () => {
  it('takes the middle one of an odd number, in any order', () => {
    expect(summarize([10, 9, 200])).toEqual({ min: 9, median: 10, max: 200 })
  })
  it('takes the mean of the middle two of an even number', () => {
    expect(summarize([4, 1, 2, 100]).median).toBe(3)
  })
  it('refuses nothing', () => expect(() => summarize([])).toThrow(RangeError))
})

describe('percentile', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1)
  it.each([
    [0, 1],
    [0.5, 50],
    [0.99, 99],
    [1, 100],
  ])('%d of 1 … 100 is %d', (share, expected) => expect(percentile(hundred, share)).toBe(expected))
  it('of one value is that value', () => expect(percentile([7], 0.99)).toBe(7))
})
