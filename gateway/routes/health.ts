import { problem } from '../http/problem.ts'
import type { Readiness } from '../options.ts'
import { json } from './route.ts'
import type { Route } from './route.ts'

export interface HealthRouteOptions {
  readonly ready: () => Promise<Readiness>
  readonly metricsText: () => Promise<{ readonly contentType: string; readonly body: string }>
}

export function healthRoutes({ ready, metricsText }: HealthRouteOptions): Route[] {
  return [
    { path: '/livez', methods: { GET: () => json(200, { live: true }) } },
    {
      path: '/readyz',
      methods: {
        GET: async () => {
          const { ready: isReady, checks } = await ready()
          if (isReady) return json(200, { ready: true, checks })
          const missing = Object.entries(checks).flatMap(([name, holds]) => (holds ? [] : [name]))
          return problem('not-ready', { detail: `Not yet: ${missing.join(', ')}.`, members: { checks } })
        },
      },
    },
    {
      path: '/metrics',
      methods: {
        GET: async () => {
          const { contentType, body } = await metricsText()
          return new Response(body, { status: 200, headers: { 'content-type': contentType } })
        },
      },
    },
  ]
}
