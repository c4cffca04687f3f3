import { afterEach, describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import { noMetrics } from '#core'
import { parseClaimId } from '#domain/coupon'
import { logError } from '#log'
import type { Appender, Log, LogErrorCode, Reader } from '#log'
import { Harness } from '../test/gateway/harness.ts'
import type { HarnessOptions } from '../test/gateway/harness.ts'
import { overlay } from '../test/gateway/overlay.ts'

let system: Harness
const start = async (options: HarnessOptions = {}): Promise<void> => {
  system = await Harness.start(options)
}
afterEach(() => system.close())

describe('the log away', () => {
  it.each([
    ['LOG_APPEND_UNKNOWN', 504, 'outcome-unknown'],
    ['LOG_OVERLOADED', 503, 'overloaded'],
    ['LOG_UNAVAILABLE', 503, 'log-unavailable'],
    ['LOG_FAILED', 503, 'log-unavailable'],
    ['LOG_APPEND_FAILED', 503, 'log-unavailable'],
    ['LOG_CLOSED', 503, 'log-unavailable'],
  ] as const)('%s is %i %s, and the key is free again', async (code, status, problem) => {
    let failing: LogErrorCode | undefined
    await start({
      wrapLog: (log) =>
        overlay<Log>(log, {
          appender: (options) => {
            const appender = log.appender(options)
            return overlay<Appender>(appender, {
              append: (record) =>
                failing === undefined
                  ? appender.append(record)
                  : Promise.reject(logError(failing, 'planted')),
            })
          },
        }),
    })
    await system.open('c', 5)
    failing = code
    const answer = await system.claim('c', 'alice', { 'idempotency-key': 'k' })
    expect([answer.status, answer.body['code']]).toEqual([status, problem])
    expect(answer.headers.get('retry-after')).toBe(status === 503 ? '1' : null)
    failing = undefined
    expect((await system.claim('c', 'alice', { 'idempotency-key': 'k' })).status).toBe(202)
  })

  it('refuses nothing when the views could not be read for 5 s', async () => {
    let away = false
    const readers: Reader[] = []
    const failed = Promise.withResolvers<void>()
    await start({
      wrapLog: (log) =>
        overlay<Log>(log, {
          reader: (options) => {
            const reader = log.reader(options)
            readers.push(reader)
            return overlay<Reader>(reader, {
              poll: (ms) => {
                if (!away) return reader.poll(ms)
                failed.resolve()
                return Promise.reject(logError('LOG_UNAVAILABLE', 'planted'))
              },
            })
          },
        }),
    })
    await system.open('one', 1)
    await system.decided('one', 'alice')
    expect((await system.claim('one', 'bob')).status).toBe(409)
    away = true
    for (const reader of readers) reader.wakeup()
    await failed.promise
    expect((await system.claim('one', 'bob')).status).toBe(409)
    system.clock.advance(5000)
    expect((await system.get('/readyz')).status).toBe(503)
    expect((await system.claim('one', 'bob')).status).toBe(202)
    expect((await system.claim('never-opened', 'bob')).status).toBe(202)
    away = false
    while (!(await system.gateway.ready()).ready) await system.clock.sleep(5)
    expect((await system.claim('one', 'bob')).status).toBe(409)
  })

  it('serves /livez before there is a log, and follows the one it is given', async () => {
    await start()
    const gateway = system.create({ viewDir: `${system.dir}/later`, log: undefined as never })
    await gateway.start()
    const call = (path: string) => system.call('GET', path, { gateway })
    expect((await call('/livez')).status).toBe(200)
    expect((await call('/readyz')).body).toMatchObject({
      code: 'not-ready',
      checks: { log: false, views: false },
    })
    expect((await call('/api/v1/coupons/c')).body['code']).toBe('log-unavailable')
    await system.open('c', 1)
    await gateway.attach(system.log)
    await system.untilReady(gateway)
    expect((await call('/api/v1/coupons/c')).status).toBe(200)
    expect((await call('/readyz')).body).toEqual({ ready: true, checks: { log: true, views: true } })
    await gateway.close()
    expect((await call('/api/v1/coupons/c')).status).toBe(503)
  })

  it('asks the further readiness checks', async () => {
    let isReady = true
    await start({ readinessChecks: [{ name: 'processor', isReady: () => isReady }] })
    expect((await system.get('/readyz')).status).toBe(200)
    isReady = false
    const answer = await system.get('/readyz')
    expect(answer.status).toBe(503)
    expect(answer.body['checks']).toEqual({ log: true, views: true, processor: false })
  })

  it('shows what is not required, and stays ready without it', async () => {
    await start({ readinessChecks: [{ name: 'sink', isReady: () => false, required: false }] })
    const answer = await system.get('/readyz')
    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({ ready: true, checks: { log: true, views: true, sink: false } })
  })
})

describe('the view', () => {
  it('goes on where it was after a restart, and never back', async () => {
    await start()
    await system.open('c', 100)
    const claimIds: unknown[] = []
    for (let user = 0; user < 20; user++)
      claimIds.push((await system.decided('c', `u${user}`)).body['claimId'])
    const before = await system.get('/api/v1/coupons/c')
    expect(before.body['issued']).toBe(20)
    await system.gateway.close()
    system.decider.pause()
    system.gateway = system.create()
    await system.gateway.start()
    await system.untilReady()
    expect((await system.get('/api/v1/coupons/c')).body).toEqual(before.body)
    for (const claimId of claimIds) {
      expect((await system.get(`/api/v1/claims/${claimId as string}`)).body['status']).toBe('issued')
    }
  })

  it('is deleted and built again when it belongs to another log', async () => {
    await start()
    await system.open('c', 1)
    const stranger = await Harness.start()
    await stranger.open('x', 1)
    await stranger.decided('x', 'mallory')
    await stranger.gateway.close()
    await system.restart({ viewDir: `${stranger.dir}/view` })
    expect((await system.get('/api/v1/coupons/x')).status).toBe(404)
    expect((await system.get('/api/v1/coupons/c')).status).toBe(200)
    expect((await system.decided('c', 'alice')).status).toBe(201)
    await system.gateway.close()
    await stranger.close()
  })

  it('is not made in a directory that holds something else', async () => {
    await start()
    const gateway = system.create({ viewDir: `${system.dir}/log` })
    await expect(gateway.attach(system.log)).rejects.toMatchObject({ code: 'DIRECTORY_FOREIGN' })
    await gateway.close()
    await system.open('c', 1)
    expect((await system.decided('c', 'alice')).status).toBe(201)
  })

  it('answers many readers of one coupon with numbers that fit together', async () => {
    await start()
    await system.open('c', 50)
    const asking = Array.from({ length: 50 }, async (_, user) => {
      await system.decided('c', `u${user}`)
      const { body } = await system.get('/api/v1/coupons/c')
      const [stock, issued, remaining] = ['stock', 'issued', 'remaining'].map((name) => body[name] as number)
      expect(issued).toBe((stock as number) - (remaining as number))
      if (user % 10 === 0) await system.post('/api/v1/coupons/c/restock', { add: 1 })
      return body['version'] as number
    })
    await Promise.all(asking)
    expect((await system.get('/api/v1/coupons/c')).body).toMatchObject({
      stock: 55,
      issued: 50,
      remaining: 5,
    })
  })
})

describe('operators', () => {
  const calls: [method: string, path: string, body?: object][] = [
    ['POST', '/api/v1/coupons', { couponId: 'c', stock: 1 }],
    ['POST', '/api/v1/coupons/c/restock', { add: 1 }],
    ['POST', '/api/v1/coupons/c/pause'],
    ['POST', '/api/v1/coupons/c/resume'],
    ['GET', '/api/v1/coupons/c/claims'],
    ['POST', '/api/v1/coupons/c/close'],
  ]

  it('need the token for their calls, and nobody else does', async () => {
    await start({ adminToken: 'let-me-in', loopback: false })
    for (const [method, path, body] of calls) {
      const refused = await system.call(method, path, { body })
      expect([path, refused.status, refused.body['code']]).toEqual([path, 401, 'unauthenticated'])
    }
    expect(await system.written()).toBe(0)
    const headers = { authorization: 'Bearer let-me-in' }
    for (const [method, path, body] of calls) {
      const answer = await system.call(method, path, { body, headers })
      expect([path, answer.status]).toEqual([path, path === '/api/v1/coupons' ? 201 : 200])
    }
    expect((await system.get('/api/v1/coupons/c')).status).toBe(200)
    expect((await system.claim('c', 'alice')).body['code']).toBe('closed')
  })

  it('are refused from a foreign page while there is no token', async () => {
    await start()
    for (const [method, path, body] of calls) {
      const refused = await system.call(method, path, { body, headers: { origin: 'http://evil.example' } })
      expect([path, refused.status, refused.body['code']]).toEqual([path, 403, 'forbidden'])
    }
    expect(await system.written()).toBe(0)
  })
})

describe('requests', () => {
  it('carry their trace into the log', async () => {
    await start()
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    await system.open('c', 1)
    const claim = await system.claim('c', 'alice', { traceparent })
    const position = parseClaimId(claim.body['claimId'] as string)
    const reader = system.log.reader()
    reader.seek({ topic: 'coupon-issue', partition: position?.partition ?? 0 }, position?.offset ?? 0)
    const cursor = (await reader.poll(1000))[0]?.cursor()
    expect(cursor?.next()).toBe(true)
    expect(cursor?.headers().map(({ key, value }) => [key, String(value)])).toEqual([
      ['traceparent', traceparent],
    ])
    expect(JSON.parse(String(cursor?.value()))).toEqual({
      command: 'issue',
      couponId: 'c',
      userId: 'alice',
      by: 'alice',
      nonce: position?.nonce,
    })
    await reader.close()
  })

  it('do not wait when too many do already', async () => {
    await start({ waitersMax: 1 })
    await system.open('c', 9)
    system.decider.pause()
    const first = system.decided('c', 'alice')
    await system.untilWaiting()
    const second = await system.decided('c', 'bob')
    expect(second.status).toBe(202)
    expect(second.headers.get('preference-applied')).toBeNull()
    const operator = await system.post('/api/v1/coupons/c/pause')
    expect([operator.status, operator.body['code']]).toEqual([503, 'overloaded'])
    system.decider.resume()
    expect((await first).status).toBe(201)
  })

  it('are counted by route and status, without ids', async () => {
    const added: unknown[] = []
    const counter = (name: string) => ({
      add: (value = 1, labels = {}) => void (value > 0 && added.push([name, value, labels])),
    })
    await start({ metrics: { ...noMetrics, counter: ({ name }) => counter(name) } })
    await system.open('c', 1)
    await system.decided('c', 'alice')
    await system.claim('c', 'bob')
    await system.claim('c', 'carol')
    await system.get('/metrics')
    const route = 'POST /api/v1/coupons/:couponId/claims'
    expect(added).toContainEqual(['millrace_http_requests_total', 2, { route, status: 409 }])
    expect(added).toContainEqual(['millrace_http_requests_total', 1, { route, status: 201 }])
    expect(added).toContainEqual(['millrace_gateway_gate_refusals_total', 1, { code: 'sold-out' }])
    expect(JSON.stringify(added)).not.toContain('alice')
  })
})

describe('requests of any kind', () => {
  it('have a problem for every error', async () => {
    await start()
    const cases: [method: string, path: string, init: object, status: number, code: string][] = [
      ['GET', '/nothing', {}, 404, 'not-found'],
      ['GET', '/api/v1/coupons/', {}, 404, 'not-found'],
      ['DELETE', '/api/v1/coupons', {}, 405, 'method-not-allowed'],
      ['PUT', '/api/v1/claims/x', { body: {} }, 405, 'method-not-allowed'],
      ['POST', '/api/v1/coupons', { body: '{"couponId":' }, 400, 'invalid-request'],
      ['POST', '/api/v1/coupons', { body: '' }, 400, 'invalid-request'],
      ['POST', '/api/v1/coupons', { body: ' '.repeat(20_000) }, 413, 'payload-too-large'],
      [
        'POST',
        '/api/v1/coupons',
        { body: '{}', headers: { 'content-type': 'text/plain' } },
        415,
        'unsupported-media-type',
      ],
      ['POST', '/api/v1/coupons/c/claims', { body: { userId: 1 } }, 400, 'invalid-request'],
      ['POST', '/api/v1/coupons/c/claims', { body: { userId: 'a', x: 1 } }, 400, 'invalid-request'],
      ['POST', '/api/v1/coupons/c/claims', { body: ['userId'] }, 400, 'invalid-request'],
      ['POST', '/api/v1/coupons/c/claims', { body: '{"userId":"a","__proto__":{}}' }, 400, 'invalid-request'],
      ['GET', '/api/v1/users/%2e%2e%2f/coupons', {}, 400, 'invalid-request'],
    ]
    for (const [method, path, init, status, code] of cases) {
      const answer = await system.call(method, path, init)
      expect([path, answer.status, answer.body['code']]).toEqual([path, status, code])
      expect(answer.body).toMatchObject({ type: `/problems/${code}`, status })
    }
    expect((await system.call('PATCH', '/api/v1/claims/x')).headers.get('allow')).toBe('GET, HEAD, DELETE')
    const faults = (await system.post('/api/v1/coupons/c/claims', { userId: 7, x: 1 })).body['errors']
    expect(faults).toMatchObject([{ path: 'userId' }, { path: 'x' }])
  })

  it('say nothing of what went wrong inside', async () => {
    await start({
      reads: {
        winners: async () => ({ items: [] }),
        userCoupons: () => Promise.reject(new Error('password is hunter2')),
      },
    })
    const answer = await system.get('/api/v1/users/alice/coupons')
    expect([answer.status, answer.body['code']]).toEqual([500, 'internal'])
    expect(answer.text).not.toContain('hunter2')
  })

  it('take HEAD where they take GET, and tell the API at the root', async () => {
    await start()
    await system.open('c', 1)
    const head = await system.call('HEAD', '/api/v1/coupons/c')
    expect([head.status, head.text]).toEqual([200, ''])
    expect((await system.get('/')).text).toContain('curl -X POST http://localhost/api/v1/coupons')
    expect((await system.get('/metrics')).status).toBe(200)
  })

  it.each([
    [{ adminToken: 'let-me-in', loopback: true }, true, true],
    [{ adminToken: 'let-me-in', loopback: false }, true, true],
    [{ loopback: false }, false, false],
    [{ loopback: true }, true, false],
  ])('tell at the root how operators call it: %j', async (options, open, token) => {
    await start(options)
    const { text } = await system.get('/')
    expect(text.includes('curl -X POST http://localhost/api/v1/coupons -H')).toBe(open)
    expect(text.includes('Operator calls are refused here: set ADMIN_TOKEN')).toBe(!open)
    expect(
      text.includes(
        '/api/v1/coupons -H \'content-type: application/json\' -H "authorization: Bearer $ADMIN_TOKEN"',
      ),
    ).toBe(token)
    expect(text).not.toContain('let-me-in')
    expect(text).toContain('/api/v1/coupons/summer/claims')
  })

  it('never end in a 500, whatever is sent', async () => {
    await start()
    await system.open('c', 1000)
    const segment = fc.oneof(fc.constantFrom('c', 'claims', 'pause', '..', '%', '%00', '%ff'), fc.string())
    const path = fc.oneof(
      fc.array(segment, { maxLength: 5 }).map((parts) => `/api/v1/${parts.map(encodeLoosely).join('/')}`),
      segment.map((id) => `/api/v1/claims/${encodeLoosely(id)}`),
      fc
        .tuple(fc.stringMatching(/^[0-9a-f]{16}$/), fc.nat(), fc.nat())
        .map(([a, b, c]) => `/api/v1/claims/${a}-1-${b}-${c}`),
      segment.map((id) => `/api/v1/coupons/${encodeLoosely(id)}/claims`),
      segment.map((query) => `/api/v1/coupons?limit=${encodeLoosely(query)}&cursor=${encodeLoosely(query)}`),
    )
    const body = fc.oneof(
      fc.string(),
      fc.json(),
      fc.record({ userId: fc.oneof(fc.string(), fc.anything()) }).map((value) => safeJson(value)),
      fc
        .record({ couponId: fc.string(), stock: fc.anything(), startsAt: fc.string() })
        .map((value) => safeJson(value)),
    )
    const header = fc.string({ unit: 'grapheme-ascii' }).map((text) => text.trim())
    const method = fc.constantFrom('GET', 'POST', 'DELETE', 'PUT')
    await fc.assert(
      fc.asyncProperty(method, path, body, header, async (verb, to, content, value) => {
        const headers = {
          prefer: value,
          'idempotency-key': value,
          'if-none-match': value,
          traceparent: value,
          accept: value,
        }
        const answer = await system.call(verb, to, verb === 'GET' ? { headers } : { headers, body: content })
        expect(answer.status).not.toBe(500)
        if (answer.status >= 400) expect(answer.headers.get('content-type')).toBe('application/problem+json')
      }),
      { numRuns: 300, seed: 8 },
    )
  })
})

function encodeLoosely(text: string): string {
  return text.replaceAll(/[/?#\s\\]/g, (character) => encodeURIComponent(character))
}

function safeJson(value: unknown): string {
  return (
    JSON.stringify(value, (_, member: unknown) =>
      typeof member === 'bigint' ? member.toString() : member,
    ) ?? ''
  )
}
