import type { Bench, Variant } from './bench.ts'

export interface Selected {
  readonly bench: string
  readonly variant: Variant
}

/** What the names say, in the order of the table; everything without names. Also the names that say nothing. */
export function select(
  benches: readonly Bench[],
  names: readonly string[],
): { readonly selected: readonly Selected[]; readonly unknown: readonly string[] } {
  const all = benches.flatMap((bench) => bench.variants.map((variant) => ({ bench: bench.name, variant })))
  const isNamed = (name: string, { bench, variant }: Selected): boolean =>
    name === bench || name === `${bench}/${variant.name}`
  return {
    selected: all.filter((one) => names.length === 0 || names.some((name) => isNamed(name, one))),
    unknown: names.filter((name) => !all.some((one) => isNamed(name, one))),
  }
}

/** One line for each benchmark and each variant. */
export function listing(benches: readonly Bench[]): string {
  const lines = benches.flatMap(({ name, summary, variants }) => [
    [name, summary] as const,
    ...variants.map((variant) => [`  ${name}/${variant.name}`, variant.summary] as const),
  ])
  const width = Math.max(...lines.map(([name]) => name.length))
  return lines.map(([name, summary]) => `${name.padEnd(width)}  ${summary}`).join('\n')
}
