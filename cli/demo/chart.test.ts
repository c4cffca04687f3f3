import { expect, it } from 'vitest'
import { decisionChart } from './chart.ts'

it('shows each slice of time with its counts, the fullest as the widest bar', () => {
  const answer = { user: 'u', startMs: 0, sequence: undefined }
  const lines = decisionChart([
    { ...answer, endMs: 5, outcome: 'issued' },
    { ...answer, endMs: 7, outcome: 'refused' },
    { ...answer, endMs: 25, outcome: 'refused' },
  ])
  expect(lines[1]).toBe(`     5 ms ${'█'.repeat(20)}${'░'.repeat(20)}  1 issued, 1 refused`)
  expect(lines.at(-1)).toContain('0 issued, 1 refused')
  expect(lines.length).toBeLessThanOrEqual(13)
})
