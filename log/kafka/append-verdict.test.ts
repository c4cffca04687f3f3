import { expect, it } from 'vitest'
import { appendVerdict } from './append-verdict.ts'
import type { AppendVerdict } from './append-verdict.ts'
import { knownCodes } from './broker-errors.ts'

const expected: Readonly<Record<Exclude<AppendVerdict, 'refused'>, readonly number[]>> = {
  appended: [0],
  'appended-somewhere': [46],
  // Nothing was done, or not by this broker: a leader or coordinator that moved, copies missing before the append.
  again: [2, 3, 5, 6, 8, 9, 14, 15, 16, 19, 41, 56, 60, 72, 74, 75, 76, 78, 89, 100, 103],
  // The leader may have it.
  'again-unknown': [-1, 7, 13, 20],
  'too-large': [10, 18],
  sequence: [45, 47, 49, 59, 90],
}

it.each(Object.entries(expected))('an append is %s after its codes only', (verdict, codes) => {
  expect(knownCodes.filter((value) => appendVerdict(value) === verdict)).toEqual(codes)
})

it('is refused after all others, codes of tomorrow too', () => {
  const others = knownCodes.length - Object.values(expected).flat().length
  expect(knownCodes.filter((value) => appendVerdict(value) === 'refused')).toHaveLength(others)
  expect(appendVerdict(999)).toBe('refused')
})
