/** Was the sale right? Pure, from what the users were told and what the program lists as winners. */
import type { ClaimAnswer, Winner } from './sale.ts'

export interface Verdict {
  readonly good: boolean
  readonly lines: readonly { readonly good: boolean; readonly text: string }[]
}

export function judge(sale: {
  readonly stock: number
  readonly answers: readonly ClaimAnswer[]
  readonly winners: readonly Winner[]
}): Verdict {
  const { stock, answers, winners } = sale
  const told = new Map<string, number | undefined>()
  let toldTwice = 0
  for (const { user, outcome, sequence } of answers) {
    if (outcome !== 'issued') continue
    if (told.has(user)) toldTwice++
    told.set(user, sequence)
  }
  const sequences = winners.map((winner) => winner.sequence).toSorted((a, b) => a - b)
  const gapless = sequences.length === stock && sequences.every((sequence, index) => sequence === index + 1)
  const holders = new Set(winners.map((winner) => winner.user))
  const agreeing = winners.filter(({ user, sequence }) => told.get(user) === sequence).length
  const undecided = answers.filter(({ outcome }) => outcome === 'undecided').length
  const lines = [
    { good: winners.length === stock, text: `${winners.length} of ${stock} coupons issued` },
    { good: gapless, text: gapless ? `sequences 1 to ${stock}, no gap` : 'the sequences have gaps' },
    {
      good: holders.size === winners.length && toldTwice === 0,
      text: `${winners.length - holders.size + toldTwice} users got more than one`,
    },
    {
      good: agreeing === winners.length && told.size === winners.length,
      text: `${agreeing} winners were told so, and nobody else (${told.size} in all)`,
    },
    { good: undecided === 0, text: `${undecided} requests without a decision` },
  ]
  return { good: lines.every((line) => line.good), lines }
}

/** The value below which `share` (0 … 1) of the ascending values lie; 0 of none. */
export function percentile(ascending: readonly number[], share: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? 0
}
