/** Results as rows: a Markdown table for people, a JSON object a line for programs. */
import type { Measurement } from './bench.ts'
import { summarize } from './statistics.ts'

export interface Row {
  readonly bench: string
  /** `variant: metric` */
  readonly case: string
  /** The median. */
  readonly value: number
  readonly unit: string
  readonly min: number
  readonly max: number
  readonly repetitions: number
  /** The peer's median. */
  readonly peer?: number
  /** value / peer, of one run. */
  readonly ratio?: number
  readonly goal?: string
}

export function rowOf(bench: string, variant: string, measurement: Measurement): Row {
  const { metric, unit, values, peerValues, goal } = measurement
  const { median, min, max } = summarize(values)
  const peer = peerValues === undefined ? undefined : summarize(peerValues).median
  return {
    bench,
    case: `${variant}: ${metric}`,
    value: rounded(median),
    unit,
    min: rounded(min),
    max: rounded(max),
    repetitions: values.length,
    ...(peer === undefined ? {} : { peer: rounded(peer), ratio: rounded(median / peer) }),
    ...(goal === undefined ? {} : { goal }),
  }
}

const columns = ['bench', 'case', 'min', 'median', 'max', 'unit', 'n', 'peer', 'ratio', 'goal'] as const
const rightAligned = new Set<string>(['min', 'median', 'max', 'n', 'peer', 'ratio'])

export function tableOf(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.bench,
    row.case,
    numberText(row.min),
    numberText(row.value),
    numberText(row.max),
    row.unit,
    String(row.repetitions),
    numberText(row.peer),
    numberText(row.ratio),
    row.goal ?? '',
  ])
  const widths = columns.map((name, index) =>
    Math.max(3, name.length, ...cells.map((row) => row[index]?.length ?? 0)),
  )
  const line = (texts: readonly string[]): string =>
    `| ${texts.map((text, index) => padded(text, index, widths[index] ?? 0)).join(' | ')} |`
  const rule = columns.map((name, index) => {
    const dashes = '-'.repeat(widths[index] ?? 0)
    return rightAligned.has(name) ? `${dashes.slice(1)}:` : dashes
  })
  return [line(columns), `| ${rule.join(' | ')} |`, ...cells.map(line)].join('\n')
}

function padded(text: string, index: number, width: number): string {
  return rightAligned.has(columns[index] ?? '') ? text.padStart(width) : text.padEnd(width)
}

/** Three figures below a thousand, whole numbers above. */
function rounded(value: number): number {
  return Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(3))
}

function numberText(value: number | undefined): string {
  return value === undefined ? '' : value.toLocaleString('en-US', { maximumFractionDigits: 3 })
}
