import { noMetrics } from '#core'
import type { Metrics } from '#core'

/** Metrics that count the changelog records applied to local state, by role of the task. */
export function restoredRecords(): { readonly metrics: Metrics; readonly of: (role: string) => number } {
  const counts = new Map<string, number>()
  const metrics: Metrics = {
    ...noMetrics,
    counter: ({ name }) => ({
      add(value = 1, labels = {}) {
        if (name !== 'streams_restored_records_total') return
        const role = String(labels['role'])
        counts.set(role, (counts.get(role) ?? 0) + value)
      },
    }),
  }
  return { metrics, of: (role) => counts.get(role) ?? 0 }
}
