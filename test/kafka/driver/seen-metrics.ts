import type { Metrics } from '#core'
import { createMetrics, metricsText } from '../../../cli/compose/metrics.ts'

/** Metrics of a test, and what one of them says; its name is written as in a scrape, labels and all. NaN: nothing yet. */
export function seenMetrics(): {
  readonly metrics: Metrics
  readonly seen: (name: string) => Promise<number>
} {
  const { metrics, snapshot } = createMetrics({ processMetrics: false })
  const seen = async (name: string): Promise<number> => {
    const { body } = await metricsText([await snapshot()])
    const line = body.split('\n').find((one) => one.startsWith(`${name} `))
    return Number(line?.slice(name.length + 1) ?? NaN)
  }
  return { metrics, seen }
}
