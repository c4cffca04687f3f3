/** What somebody sees who opens the address in a browser. */
import type { Route } from './route.ts'

export function welcomeRoutes(advertisedUrl: string | undefined): Route[] {
  return [
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
