/**
 * The metrics port, with Prometheus' meanings: counters only grow, histograms are in base units (seconds, bytes).
 * The composition root hands in prom-client; `noMetrics` costs nothing.
 */
export type Labels = Readonly<Record<string, string | number>>

export interface Counter {
  add(value?: number, labels?: Labels): void
}
export interface Gauge {
  set(value: number, labels?: Labels): void
}
export interface Histogram {
  observe(value: number, labels?: Labels): void
}
export interface InstrumentOptions {
  readonly name: string
  readonly help: string
  readonly labels?: readonly string[]
}

/** Asking for a name twice answers the same instrument. */
export interface Metrics {
  counter(options: InstrumentOptions): Counter
  gauge(options: InstrumentOptions): Gauge
  /** `buckets` in the unit of the observed values, ascending. */
  histogram(options: InstrumentOptions & { readonly buckets?: readonly number[] }): Histogram
}

const nothing = (): void => {}

export const noMetrics: Metrics = {
  counter: () => ({ add: nothing }),
  gauge: () => ({ set: nothing }),
  histogram: () => ({ observe: nothing }),
}
