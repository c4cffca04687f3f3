/**
 * Requests and their duration. Counting on the hot path is one addition: sums go into the instruments when somebody
 * reads them, and durations of every eighth request are a fair sample of thousands.
 */
import type { Clock, Counter, Histogram, Metrics } from '#core'
import type { Handler } from './routes/route.ts'

const sampleEvery = 8

export class RequestMetrics {
  readonly #clock: Clock
  readonly #requests: Counter
  readonly #duration: Histogram
  readonly #counts = new Map<string, { readonly route: string; readonly status: number; count: number }>()
  #untilSample = 1

  constructor(metrics: Metrics, clock: Clock) {
    this.#clock = clock
    this.#requests = metrics.counter({
      name: 'millrace_http_requests_total',
      help: 'Requests answered',
      labels: ['route', 'status'],
    })
    this.#duration = metrics.histogram({
      name: 'millrace_http_request_duration_seconds',
      help: 'Time to answer, of every eighth request',
      labels: ['route'],
      buckets: [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    })
  }

  /** The same handler, counted under `route` (a pattern, never an address with ids); its errors become answers. */
  measured(route: string, handler: Handler, answerTo: (error: unknown) => Response): Handler {
    return async (context) => {
      const startedAt = this.#sampledAt()
      let response: Response
      try {
        response = await handler(context)
      } catch (error) {
        response = answerTo(error)
      }
      if (startedAt !== undefined) this.#duration.observe((this.#clock.now() - startedAt) / 1000, { route })
      this.count(route, response.status)
      return response
    }
  }

  count(route: string, status: number): void {
    const key = route + status
    const entry = this.#counts.get(key)
    if (entry === undefined) this.#counts.set(key, { route, status, count: 1 })
    else entry.count++
  }

  /** Moves the sums into the instruments. */
  flush(): void {
    for (const entry of this.#counts.values()) {
      if (entry.count > 0) this.#requests.add(entry.count, { route: entry.route, status: entry.status })
      entry.count = 0
    }
  }

  #sampledAt(): number | undefined {
    if (--this.#untilSample > 0) return undefined
    this.#untilSample = sampleEvery
    return this.#clock.now()
  }
}
