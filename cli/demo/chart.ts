/** Decisions over time as bars of text. */
import type { ClaimAnswer } from './sale.ts'

const rows = 12
const barWidth = 40

/** One line for each slice of time: how many answers, and how many of them were coupons. */
export function decisionChart(answers: readonly ClaimAnswer[]): string[] {
  const endMs = Math.max(...answers.map((answer) => answer.endMs), 1)
  const sliceMs = niceStep(endMs / rows)
  const slices = Array.from({ length: Math.floor(endMs / sliceMs) + 1 }, () => ({ issued: 0, refused: 0 }))
  for (const answer of answers) {
    const slice = slices[Math.floor(answer.endMs / sliceMs)]
    if (slice === undefined) continue
    if (answer.outcome === 'issued') slice.issued++
    else slice.refused++
  }
  const most = Math.max(...slices.map(({ issued, refused }) => issued + refused), 1)
  return slices.map(({ issued, refused }, index) => {
    const bar = (count: number): number => Math.ceil((count / most) * barWidth)
    const from = String(index * sliceMs).padStart(6)
    const bars = '█'.repeat(bar(issued)) + '░'.repeat(Math.max(0, bar(issued + refused) - bar(issued)))
    return `${from} ms ${bars.padEnd(barWidth + 1)} ${issued} issued, ${refused} refused`
  })
}

/** The smallest of 1, 2, 5, 10, 20, 50 … that is at least `atLeast`. */
function niceStep(atLeast: number): number {
  for (let power = 1; ; power *= 10) {
    for (const step of [1, 2, 5]) if (step * power >= atLeast) return step * power
  }
}
