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
export interface Observation {
  readonly value: number
  readonly labels?: Labels
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
  /**
   * A gauge that is asked whenever the metrics are shown: it costs nothing in between, and what `observe` no longer
   * answers vanishes. Several may share a name, with labels of their own.
   * @returns what ends it
   */
  observableGauge(options: InstrumentOptions, observe: () => Iterable<Observation>): () => void
  /** `buckets` in the unit of the observed values, ascending. */
  histogram(options: InstrumentOptions & { readonly buckets?: readonly number[] }): Histogram
}

const nothing = (): void => {}

export const noMetrics: Metrics = {
  counter: () => ({ add: nothing }),
  gauge: () => ({ set: nothing }),
  observableGauge: () => nothing,
  histogram: () => ({ observe: nothing }),
}
