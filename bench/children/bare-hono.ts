/**
 * What the gateway is compared with: the same server library and framework, the same route, the same JSON parsed, an
 * answer of the same status, headers and size, and nothing else. Ends with the process that started it.
 */
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'

export interface BareAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface BareReady {
  readonly url: string
}

process.once('disconnect', () => process.exit())
process.once('message', ({ status, headers, body }: BareAnswer) => {
  const app = new Hono()
  app.post('/api/v1/coupons/:couponId/claims', async (context) => {
    const { userId } = await context.req.json<{ userId?: unknown }>()
    if (typeof userId !== 'string' || context.req.param('couponId') === '') return context.text('', 400)
    return context.body(body, status as ContentfulStatusCode, { ...headers })
  })
  serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) =>
    process.send?.({ url: `http://127.0.0.1:${port}` } satisfies BareReady),
  )
})
