import { expect, it } from 'vitest'
import { noMetrics, silentLogger, systemClock } from '#core'
import { createHealth } from './health.ts'

let checks: Record<string, boolean> = {}
const { fetch } = createHealth({
  name: 'Millrace sink',
  ready: async () => ({ ready: Object.values(checks).every(Boolean), checks }),
  metrics: noMetrics,
  metricsText: async () => ({ contentType: 'text/plain', body: 'up 1\n' }),
  clock: systemClock,
  logger: silentLogger,
})

async function get(path: string): Promise<{ status: number; body: string }> {
  const answer = await fetch(new Request(`http://localhost${path}`))
  return { status: answer.status, body: await answer.text() }
}

it('is live from the start, and ready when every check holds', async () => {
  checks = { log: true, tasks: false }
  expect((await get('/livez')).status).toBe(200)
  const early = await get('/readyz')
  expect(early.status).toBe(503)
  expect(JSON.parse(early.body)).toMatchObject({
    code: 'not-ready',
    title: 'The process is not ready',
    detail: 'Not yet: tasks.',
    checks,
  })
  checks = { log: true, tasks: true }
  expect(await get('/readyz')).toEqual({ status: 200, body: JSON.stringify({ ready: true, checks }) })
})

it('says what it is, and where its health is', async () => {
  expect(await get('/')).toEqual({
    status: 200,
    body: 'Millrace sink\n\nHealth: http://localhost/livez http://localhost/readyz http://localhost/metrics\n',
  })
})

it('shows metrics, and has nothing else', async () => {
  expect(await get('/metrics')).toEqual({ status: 200, body: 'up 1\n' })
  expect((await get('/api/v1/coupons')).status).toBe(404)
})
