import type { Clock, Logger, Metrics } from '#core'
import { createApp } from './app.ts'
import type { Gateway, Readiness } from './options.ts'
import { RequestMetrics } from './request-metrics.ts'
import { healthRoutes } from './routes/health.ts'
import { healthWelcomeRoutes } from './routes/welcome.ts'

export interface HealthOptions {
  /** What `GET /` calls the process. */
  readonly name: string
  readonly ready: () => Promise<Readiness>
  readonly metrics: Metrics
  readonly metricsText: () => Promise<{ readonly contentType: string; readonly body: string }>
  readonly clock: Clock
  readonly logger: Logger
}

/** `/livez`, `/readyz` and `/metrics`, and a `/` that names them, for `serveHttp`: what a process without the API shows of itself. */
export function createHealth(options: HealthOptions): Pick<Gateway, 'fetch' | 'endWaits'> {
  const { name, ready, metrics, metricsText, clock, logger } = options
  const requests = new RequestMetrics(metrics, clock)
  const routes = healthRoutes({
    ready,
    metricsText: () => {
      requests.flush()
      return metricsText()
    },
  })
  const app = createApp([...routes, ...healthWelcomeRoutes(name)], requests, logger)
  return { fetch: app.fetch, endWaits: () => undefined }
}
