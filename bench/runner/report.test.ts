import { describe, expect, it } from 'vitest'
import { rowOf, tableOf } from './report.ts'

const answers = rowOf('gateway', 'durable-64', {
  metric: 'answers',
  unit: '1/s',
  values: [9000.4, 12_000, 10_000],
  peerValues: [20_000, 16_000, 30_000],
  goal: 'ratio ≥ 0.7',
})
const latency = rowOf('latency', 'log', { metric: 'p50', unit: 'ms', values: [4.8049] })

describe('rowOf', () => {
  it('compares the medians of both', () => {
    expect(answers).toEqual({
      bench: 'gateway',
      case: 'durable-64: answers',
      value: 10_000,
      unit: '1/s',
      min: 9000,
      max: 12_000,
      repetitions: 3,
      peer: 20_000,
      ratio: 0.5,
      goal: 'ratio ≥ 0.7',
    })
  })
  it('has neither peer nor ratio nor goal where there is none', () => {
    expect(Object.keys(latency)).toEqual(['bench', 'case', 'value', 'unit', 'min', 'max', 'repetitions'])
    expect(latency.value).toBe(4.8)
  })
})

describe('tableOf', () => {
  it('is Markdown whose lines are equally long', () => {
    const lines = tableOf([answers, latency]).split('\n')
    expect(lines).toHaveLength(4)
    expect(new Set(lines.map((line) => line.length)).size).toBe(1)
    expect(lines[2]).toContain('| 9,000 | 10,000 | 12,000 |')
  })
})
