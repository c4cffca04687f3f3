import { problem } from '../http/problem.ts'
import type { Readiness } from '../options.ts'
import { json } from './route.ts'
import type { Route } from './route.ts'

export interface HealthRouteOptions {
  readonly ready: () => Promise<Readiness>
  readonly metricsText: () => Promise<{ readonly contentType: string; readonly body: string }>
  readonly advertisedUrl: string | undefined
}

export function healthRoutes({ ready, metricsText, advertisedUrl }: HealthRouteOptions): Route[] {
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
    {
      path: '/',
      methods: {
        GET: (context) =>
          new Response(welcome(advertisedUrl ?? new URL(context.req.url).origin), {
            status: 200,
            headers: { 'content-type': 'text/plain; charset=utf-8' },
          }),
      },
    },
  ]
}

function welcome(url: string): string {
  return `Millrace: first come, first served, exactly once.

The API is at ${url}/api/v1. Open a coupon of 100, claim one, and look:

  curl -X POST ${url}/api/v1/coupons -H 'content-type: application/json' -d '{"couponId":"summer","stock":100}'
  curl -X POST ${url}/api/v1/coupons/summer/claims -H 'content-type: application/json' -d '{"userId":"alice"}'
  curl ${url}/api/v1/claims/CLAIM_ID
  curl ${url}/api/v1/coupons/summer

Health: ${url}/livez ${url}/readyz ${url}/metrics
`
}
