import { connect } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { noMetrics } from '#core'
import { Harness } from '../test/gateway/harness.ts'
import { recordingLogger } from '../test/gateway/recording-logger.ts'
import { serveHttp } from './http-server.ts'
import type { HttpServer } from './http-server.ts'

let system: Harness
let server: HttpServer
beforeEach(async () => {
  system = await Harness.start()
  server = await serveHttp(system.gateway, { host: '127.0.0.1', port: 0 })
})
afterEach(async () => {
  await server.close()
  await system.close()
})

const url = (path: string): string => `http://127.0.0.1:${server.port}${path}`
const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(url(path), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })

it('serves open, claim, poll and coupon', async () => {
  expect((await post('/api/v1/coupons', { couponId: 'summer', stock: 1 })).status).toBe(201)
  const claim = await post('/api/v1/coupons/summer/claims', { userId: 'alice' })
  expect(claim.status).toBe(202)
  const polled = await fetch(url(claim.headers.get('location') as string), { headers: { prefer: 'wait=5' } })
  expect(await polled.json()).toMatchObject({ status: 'issued', sequence: 1 })
  const refused = await post('/api/v1/coupons/summer/claims', { userId: 'bob' })
  expect([refused.status, refused.headers.get('content-type')]).toEqual([409, 'application/problem+json'])
  expect((await fetch(url('/nothing'))).status).toBe(404)
  expect((await fetch(url('/'))).headers.get('content-type')).toMatch(/^text\/plain/)
})

it('counts a body that comes in chunks', async () => {
  const body = new ReadableStream({
    pull(controller) {
      controller.enqueue(Buffer.alloc(4096, ' '))
    },
  })
  const sent = fetch(url('/api/v1/coupons'), {
    method: 'POST',
    body,
    duplex: 'half',
    headers: { 'content-type': 'application/json' },
  })
  const answer = await sent
  expect(answer.status).toBe(413)
})

it.each(['Content-Length: 100\r\n\r\n{"userId":', 'Transfer-Encoding: chunked\r\n\r\n5\r\n{"use\r\n'])(
  'ends quietly when the client goes away during its upload (%j)',
  async (upload) => {
    const { logger, lines } = recordingLogger()
    const statuses: unknown[] = []
    const counter = () => ({
      add: (value = 1, labels: Record<string, unknown> = {}) => {
        if (value > 0 && 'status' in labels) statuses.push(labels['status'])
      },
    })
    await server.close()
    await system.restart({ logger, metrics: { ...noMetrics, counter } })
    const received = Promise.withResolvers<void>()
    const { gateway } = system
    const fetchAndTell: typeof gateway.fetch = (request, env) => {
      received.resolve()
      return gateway.fetch(request, env)
    }
    server = await serveHttp({ ...gateway, fetch: fetchAndTell }, { host: '127.0.0.1', port: 0 })
    const socket = connect(server.port, '127.0.0.1')
    socket.write(`POST /api/v1/coupons/c/claims HTTP/1.1\r\nHost: localhost\r\n${upload}`)
    await received.promise
    socket.resetAndDestroy()
    while (!statuses.some((status) => status !== 200)) await fetch(url('/metrics'))
    expect(statuses.filter((status) => status !== 200)).toEqual([499])
    expect(lines.filter(({ level }) => level === 'error')).toEqual([])
    expect(lines).toContainEqual({ level: 'debug', message: expect.stringContaining('went away') })
  },
)

it('says which port is taken', async () => {
  await expect(serveHttp(system.gateway, { host: '127.0.0.1', port: server.port })).rejects.toMatchObject({
    code: 'GATEWAY_PORT_TAKEN',
    message: expect.stringContaining('PORT'),
  })
})

it('ends waits and finishes requests when it closes', async () => {
  await post('/api/v1/coupons', { couponId: 'summer', stock: 1 })
  system.decider.pause()
  const waiting = post('/api/v1/coupons/summer/claims', { userId: 'alice' }, { prefer: 'wait=30' })
  await system.untilWaiting()
  await Promise.all([server.close(), server.close()])
  expect((await waiting).status).toBe(202)
  await expect(fetch(url('/livez'))).rejects.toThrow()
})

/** What comes back for these bytes, up to `last`. */
function answerTo(text: string, last: string): Promise<string> {
  return new Promise<string>((resolve, reject) => {
    let received = ''
    const socket = connect(server.port, '127.0.0.1', () => socket.write(text))
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => {
      received += chunk
      if (received.includes(last)) socket.destroy()
    })
    socket.on('close', () => resolve(received))
    socket.on('error', reject)
  })
}

it.each([
  ['GET / HTTP/1.1\r\nHost: a b\r\n\r\n', 400],
  ['nonsense\r\n\r\n', 400],
  ['GET /\u0000 HTTP/1.1\r\nHost: localhost\r\n\r\n', 400],
  [`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`, 400],
  ['GET / HTTP/1.1\r\n\r\n', 400],
  ['GET / HTTP/1.1\r\nHost: localhost\r\nExpect: foo\r\n\r\n', 400],
])('answers %j… with a problem', async (text, status) => {
  const answer = await answerTo(text, '"code"')
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  expect(answer.toLowerCase()).toContain('content-type: application/problem+json')
  expect(answer).not.toContain('Error:')
})

it('asks for the body of who expects 100-continue', async () => {
  const { length } = JSON.stringify({ couponId: 'c', stock: 1 })
  const answer = await answerTo(
    'POST /api/v1/coupons HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n' +
      `Content-Length: ${length}\r\nExpect: 100-continue\r\n\r\n{"couponId":"c","stock":1}`,
    '"couponId"',
  )
  expect(answer).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 201 Created\r\n/)
})
