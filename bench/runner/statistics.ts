export interface Summary {
  readonly min: number
  readonly median: number
  readonly max: number
}

export function summarize(values: readonly number[]): Summary {
  if (values.length === 0) throw new RangeError('there is nothing to summarize')
  const sorted = values.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  const median = (at(sorted, Math.floor(middle)) + at(sorted, Math.ceil(middle))) / 2
  return { min: at(sorted, 0), median, max: at(sorted, sorted.length - 1) }
}

/** The value below which `share` of all lie (nearest rank). `sorted` ascending and not empty. */
export function percentile(sorted: readonly number[], share: number): number {
  return at(sorted, Math.max(0, Math.ceil(sorted.length * share) - 1))
}

function at(sorted: readonly number[], index: number): number {
  const value = sorted[index]
  if (value === undefined) throw new RangeError('there is nothing to summarize')
  return value
}
