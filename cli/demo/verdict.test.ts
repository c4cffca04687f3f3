import { describe, expect, it } from 'vitest'
import type { ClaimAnswer } from './sale.ts'
import { judge, percentile } from './verdict.ts'

const issued = (user: string, sequence: number): ClaimAnswer => ({
  user,
  startMs: 0,
  endMs: 1,
  outcome: 'issued',
  sequence,
})
const refused = (user: string): ClaimAnswer => ({
  user,
  startMs: 0,
  endMs: 1,
  outcome: 'refused',
  sequence: undefined,
})

describe('judge', () => {
  const answers = [issued('a', 1), issued('b', 2), refused('a'), refused('c')]
  const winners = [
    { user: 'b', sequence: 2 },
    { user: 'a', sequence: 1 },
  ]

  it('finds a right sale good', () => expect(judge({ stock: 2, answers, winners }).good).toBe(true))

  it.each([
    ['one too many', { stock: 1, answers, winners }],
    ['a gap', { stock: 2, answers, winners: [winners[0], { user: 'a', sequence: 3 }] }],
    ['a user twice', { stock: 2, answers, winners: [winners[0], { user: 'b', sequence: 1 }] }],
    ['a winner told otherwise', { stock: 2, answers: [issued('a', 2), issued('b', 1)], winners }],
    ['a user told so who did not win', { stock: 2, answers: [...answers, issued('d', 3)], winners }],
    [
      'a request without decision',
      { stock: 2, answers: [...answers, { ...refused('d'), outcome: 'undecided' }], winners },
    ],
  ] as const)('finds %s bad', (_, sale) => {
    const found = sale.winners.flatMap((winner) => (winner === undefined ? [] : [winner]))
    expect(judge({ ...sale, winners: found }).good).toBe(false)
  })
})

describe('percentile', () => {
  it('is the value below which the share lies', () => {
    expect(percentile([1, 2, 3, 4], 0.5)).toBe(3)
    expect(percentile([1, 2, 3, 4], 0.99)).toBe(4)
    expect(percentile([], 0.5)).toBe(0)
  })
})
