/** prom-client behind core's Metrics port; each thread has its own registry, the main thread puts them together. */
import { AggregatorRegistry, Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import type { MetricObjectWithValues, MetricValue } from 'prom-client'
import type { InstrumentOptions, Metrics, Observation } from '#core'

/** A thread's metrics in a form that travels between threads. */
export type MetricsSnapshot = MetricObjectWithValues<MetricValue<string>>[]

export interface MetricsRegistry {
  readonly metrics: Metrics
  snapshot(): Promise<MetricsSnapshot>
}

/** `processMetrics`: also CPU, memory and event loop of the whole process; for one thread only. */
export function createMetrics(options: { readonly processMetrics: boolean }): MetricsRegistry {
  const registry = new Registry()
  if (options.processMetrics) collectDefaultMetrics({ register: registry })
  const observers = new Map<string, Set<() => Iterable<Observation>>>()
  return {
    metrics: {
      counter(instrument) {
        const counter = once(registry, instrument, () => new Counter(configuration(registry, instrument)))
        return {
          add: (value = 1, labels) =>
            labels === undefined ? counter.inc(value) : counter.inc(labels, value),
        }
      },
      gauge(instrument) {
        const gauge = once(registry, instrument, () => new Gauge(configuration(registry, instrument)))
        return {
          set: (value, labels) => (labels === undefined ? gauge.set(value) : gauge.set(labels, value)),
        }
      },
      observableGauge(instrument, observe) {
        const known = observers.get(instrument.name)
        const asked = known ?? new Set()
        if (known === undefined) {
          observers.set(instrument.name, asked)
          observedGauge(registry, instrument, asked)
        }
        // A function of its own: the same one may be given twice.
        const asking = (): Iterable<Observation> => observe()
        asked.add(asking)
        return () => void asked.delete(asking)
      },
      histogram(instrument) {
        const { buckets } = instrument
        const histogram = once(
          registry,
          instrument,
          () =>
            new Histogram({
              ...configuration(registry, instrument),
              ...(buckets === undefined ? {} : { buckets: [...buckets] }),
            }),
        )
        return {
          observe: (value, labels) =>
            labels === undefined ? histogram.observe(value) : histogram.observe(labels, value),
        }
      },
    },
    snapshot: async () => await registry.getMetricsAsJSON(),
  }
}

/** Prometheus' text of several threads; the same metric in two of them is summed. */
export async function metricsText(
  snapshots: readonly MetricsSnapshot[],
): Promise<{ readonly contentType: string; readonly body: string }> {
  const registry = AggregatorRegistry.aggregate([...snapshots])
  return { contentType: registry.contentType, body: await registry.metrics() }
}

function observedGauge(
  registry: Registry,
  instrument: InstrumentOptions,
  observers: ReadonlySet<() => Iterable<Observation>>,
): Gauge {
  return new Gauge({
    ...configuration(registry, instrument),
    collect() {
      this.reset()
      for (const observe of observers) {
        for (const { value, labels = {} } of observe()) this.set(labels, value)
      }
    },
  })
}

function configuration(
  registry: Registry,
  instrument: InstrumentOptions,
): { name: string; help: string; labelNames: string[]; registers: Registry[] } {
  const { name, help, labels = [] } = instrument
  return { name, help, labelNames: [...labels], registers: [registry] }
}

function once<T>(registry: Registry, instrument: InstrumentOptions, create: () => T): T {
  const known = registry.getSingleMetric(instrument.name)
  return known === undefined ? create() : (known as T)
}
