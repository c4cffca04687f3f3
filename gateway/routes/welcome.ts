/** What somebody sees who opens the address in a browser. */
import type { PermissionOptions } from '../http/permission.ts'
import type { Route } from './route.ts'

export function welcomeRoutes(options: PermissionOptions): Route[] {
  return [root((origin) => welcome(options.advertisedUrl ?? origin, options))]
}

/** For a process without the API. @param name what it is, such as `Millrace sink` */
export function healthWelcomeRoutes(name: string): Route[] {
  return [root((origin) => `${name}\n\n${health(origin)}`)]
}

function root(text: (origin: string) => string): Route {
  return {
    path: '/',
    methods: {
      GET: (context) =>
        new Response(text(new URL(context.req.url).origin), {
          status: 200,
          headers: { 'content-type': 'text/plain; charset=utf-8' },
        }),
    },
  }
}

function welcome(url: string, { adminToken, loopback }: PermissionOptions): string {
  const intro = `Millrace: first come, first served, exactly once.

The API is at ${url}/api/v1.`
  const claim = `  curl -X POST ${url}/api/v1/coupons/summer/claims -H 'content-type: application/json' -d '{"userId":"alice"}'
  curl ${url}/api/v1/claims/CLAIM_ID
  curl ${url}/api/v1/coupons/summer

${health(url)}`
  if (adminToken === undefined && !loopback) {
    return `${intro} Operator calls are refused here: set ADMIN_TOKEN (8 characters or more) and start again.
Claim one of a coupon that is open, and look:

${claim}`
  }
  const token = adminToken === undefined ? '' : ' -H "authorization: Bearer $ADMIN_TOKEN"'
  return `${intro} Open a coupon of 100, claim one, and look:

  curl -X POST ${url}/api/v1/coupons -H 'content-type: application/json'${token} -d '{"couponId":"summer","stock":100}'
${claim}`
}

function health(url: string): string {
  return `Health: ${url}/livez ${url}/readyz ${url}/metrics\n`
}
