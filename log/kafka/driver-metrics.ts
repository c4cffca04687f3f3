/** What the driver's requests cost and how they fare, for operators. */
import type { Clock, Counter, Gauge, Histogram, Metrics } from '#core'

/** A fetch may wait half a second for data, a join for the other members. */
const buckets = [0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5, 30]

export class DriverMetrics {
  readonly #requests: Counter
  readonly #unanswered: Counter
  readonly #seconds: Histogram
  readonly #throttled: Counter
  readonly #retries: Counter
  readonly #connects: Counter
  readonly #connections: Gauge
  readonly #clock: Clock
  #open = 0

  constructor(metrics: Metrics, clock: Clock) {
    this.#clock = clock
    const labels = ['api']
    this.#requests = metrics.counter({
      name: 'millrace_kafka_requests_total',
      help: 'Requests that brokers answered.',
      labels,
    })
    this.#unanswered = metrics.counter({
      name: 'millrace_kafka_requests_unanswered_total',
      help: 'Requests that got no answer: timed out, or their connection broke.',
      labels,
    })
    this.#seconds = metrics.histogram({
      name: 'millrace_kafka_request_duration_seconds',
      help: 'Time from a request to its answer, waiting for data included.',
      labels,
      buckets,
    })
    this.#throttled = metrics.counter({
      name: 'millrace_kafka_throttled_seconds_total',
      help: 'Time that brokers held us back by their quotas.',
    })
    this.#retries = metrics.counter({
      name: 'millrace_kafka_retries_total',
      help: 'Tries that had to be repeated: no answer, a leader or coordinator that moved, a broker not ready.',
    })
    this.#connects = metrics.counter({
      name: 'millrace_kafka_connects_total',
      help: 'Connections that were tried, by outcome.',
      labels: ['outcome'],
    })
    this.#connections = metrics.gauge({
      name: 'millrace_kafka_connections',
      help: 'Connections to brokers open now.',
    })
    // There from the first moment on, so that their absence means something.
    this.#retries.add(0)
    this.#throttled.add(0)
    this.#connections.set(0)
  }

  /** When a request is sent; to be handed back with its answer. */
  now(): number {
    return this.#clock.now()
  }

  answered(api: string, sentAt: number, throttleMs: number): void {
    this.#requests.add(1, { api })
    this.#seconds.observe((this.#clock.now() - sentAt) / 1000, { api })
    if (throttleMs > 0) this.#throttled.add(throttleMs / 1000)
  }

  unanswered(api: string): void {
    this.#unanswered.add(1, { api })
  }

  retried(): void {
    this.#retries.add()
  }

  connected(): void {
    this.#connects.add(1, { outcome: 'connected' })
    this.#connections.set(++this.#open)
  }

  disconnected(): void {
    this.#connections.set(--this.#open)
  }

  failedToConnect(): void {
    this.#connects.add(1, { outcome: 'failed' })
  }
}
