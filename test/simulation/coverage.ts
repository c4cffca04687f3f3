/** How often each thing happened, so that nothing in the simulation is dead without being seen. */
export class Coverage {
  readonly counts = new Map<string, number>()

  add(what: string, times = 1): void {
    if (times > 0) this.counts.set(what, (this.counts.get(what) ?? 0) + times)
  }

  merge(other: Coverage): void {
    for (const [what, times] of other.counts) this.add(what, times)
  }

  table(): string {
    const rows = [...this.counts].toSorted(([a], [b]) => (a < b ? -1 : 1))
    const width = Math.max(0, ...rows.map(([what]) => what.length))
    return rows.map(([what, times]) => `  ${what.padEnd(width)}  ${times}`).join('\n')
  }
}
