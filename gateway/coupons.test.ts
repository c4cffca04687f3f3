import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MillraceError } from '#core'
import { Harness } from '../test/gateway/harness.ts'
import type { Answer } from '../test/gateway/harness.ts'

let system: Harness
beforeEach(async () => {
  system = await Harness.start()
})
afterEach(() => system.close())

const terms = {
  couponId: 'summer',
  stock: 10,
  name: 'Summer',
  perUserLimit: 2,
  startsAt: '2026-01-01T09:00:00+09:00',
  endsAt: '2100-01-01T00:00:00Z',
  discount: { percent: 15 },
  validUntil: '2100-02-01T00:00:00.5Z',
}

function failing(code: string): () => Promise<never> {
  return () => Promise.reject(new MillraceError(code, 'away', { domain: 'external', reaction: 'retry' }))
}

function codeOf(answer: Answer): unknown {
  return [answer.status, answer.body['code']]
}

describe('opening', () => {
  it('answers the whole coupon at its address', async () => {
    const opened = await system.post('/api/v1/coupons', terms)
    expect(opened.status).toBe(201)
    expect(opened.headers.get('location')).toBe('/api/v1/coupons/summer')
    expect(opened.body).toEqual({
      couponId: 'summer',
      name: 'Summer',
      state: 'open',
      stock: 10,
      issued: 0,
      remaining: 10,
      perUserLimit: 2,
      startsAt: '2026-01-01T00:00:00.000Z',
      endsAt: '2100-01-01T00:00:00.000Z',
      discount: { percent: 15 },
      validUntil: '2100-02-01T00:00:00.500Z',
      version: 1,
    })
    expect((await system.get('/api/v1/coupons/summer')).body).toEqual(opened.body)
  })

  it('fills in what is left out', async () => {
    expect((await system.open('plain', 0)).body).toEqual({
      couponId: 'plain',
      name: null,
      state: 'sold-out',
      stock: 0,
      issued: 0,
      remaining: 0,
      perUserLimit: 1,
      startsAt: null,
      endsAt: null,
      discount: null,
      validUntil: null,
      version: 1,
    })
  })

  it('is 200 for the same body again, instants by value, whatever was restocked since', async () => {
    await system.post('/api/v1/coupons', terms)
    await system.post('/api/v1/coupons/summer/restock', { add: 5 })
    const again = await system.post('/api/v1/coupons', { ...terms, startsAt: '2026-01-01T00:00:00.000Z' })
    expect(again.status).toBe(200)
    expect(again.body['stock']).toBe(15)
  })

  it('is 409 for another body', async () => {
    await system.post('/api/v1/coupons', terms)
    expect(codeOf(await system.post('/api/v1/coupons', { ...terms, stock: 11 }))).toEqual([
      409,
      'coupon-exists',
    ])
  })

  it('names everything that is wrong with the body', async () => {
    const answer = await system.post('/api/v1/coupons', {
      couponId: 'a/b',
      stock: '10',
      name: '',
      perUserLimit: 0,
      startsAt: '2026-02-30T00:00:00Z',
      discount: { percent: 1, amount: 2 },
      colour: 'red',
    })
    expect(codeOf(answer)).toEqual([400, 'invalid-request'])
    const errors = answer.body['errors'] as { path: string; detail: string }[]
    const paths = errors.map(({ path }) => path)
    expect(new Set(paths)).toEqual(
      new Set(['couponId', 'stock', 'name', 'perUserLimit', 'startsAt', 'discount.amount', 'colour']),
    )
    expect(errors.every(({ detail }) => detail.length > 5)).toBe(true)
  })

  it.each(
    [
      { couponId: 'x' },
      { stock: 1 },
      { couponId: 'x', stock: 1e12 + 1 },
      { couponId: 'x', stock: 1.5 },
      { couponId: 'x', stock: -1 },
      { couponId: '..', stock: 1 },
      { couponId: 'x'.repeat(129), stock: 1 },
      { couponId: 'x', stock: 1, perUserLimit: 1001 },
      { couponId: 'x', stock: 1, name: 'n'.repeat(201) },
      { couponId: 'x', stock: 1, startsAt: '2026-01-01T00:00:00' },
      { couponId: 'x', stock: 1, startsAt: 0 },
      { couponId: 'x', stock: 1, startsAt: '9999-12-31T23:59:59-23:59' },
      { couponId: 'x', stock: 1, validUntil: '0000-01-01T00:00:00+23:59' },
      { couponId: 'x', stock: 1, startsAt: '2026-01-02T00:00:00Z', endsAt: '2026-01-02T00:00:00Z' },
      { couponId: 'x', stock: 1, discount: { amount: 1 } },
      [],
      'text',
      null,
    ].map((body) => [JSON.stringify(body)]),
  )('refuses %s', async (body) => {
    const answer = await system.post('/api/v1/coupons', body)
    expect(codeOf(answer)).toEqual([400, 'invalid-request'])
    expect(answer.body['errors']).not.toEqual([])
  })
})

describe('changing', () => {
  it('restocks: a sold out coupon is open again', async () => {
    await system.open('one', 1)
    await system.decided('one', 'alice')
    const restocked = await system.post('/api/v1/coupons/one/restock', { add: 2 })
    expect(restocked.status).toBe(200)
    expect(restocked.body).toMatchObject({ state: 'open', stock: 3, issued: 1, remaining: 2 })
    expect((await system.claim('one', 'bob')).status).toBe(202)
    expect(codeOf(await system.post('/api/v1/coupons/one/restock', { add: 1e12 }))).toEqual([
      409,
      'stock-limit',
    ])
    expect(codeOf(await system.post('/api/v1/coupons/one/restock', { add: 0 }))).toEqual([
      400,
      'invalid-request',
    ])
    expect(codeOf(await system.post('/api/v1/coupons/one/restock'))).toEqual([400, 'invalid-request'])
  })

  it('pauses, resumes and closes, each as often as asked', async () => {
    await system.open('c', 1)
    for (const [action, state] of [
      ['pause', 'paused'],
      ['resume', 'open'],
      ['close', 'closed'],
    ]) {
      for (let time = 0; time < 2; time++) {
        const answer = await system.post(`/api/v1/coupons/c/${action}`)
        expect([answer.status, answer.body['state']]).toEqual([200, state])
      }
    }
    for (const [action, body] of [['pause'], ['resume'], ['restock', { add: 1 }]] as const) {
      expect(codeOf(await system.post(`/api/v1/coupons/c/${action}`, body))).toEqual([409, 'closed'])
    }
  })

  it('takes no body for pause, but an empty object from clients that always send one', async () => {
    await system.open('c', 1)
    expect((await system.post('/api/v1/coupons/c/pause', {})).status).toBe(200)
    expect(codeOf(await system.post('/api/v1/coupons/c/pause', { why: 'x' }))).toEqual([
      400,
      'invalid-request',
    ])
    expect(codeOf(await system.post('/api/v1/coupons/c/pause', []))).toEqual([400, 'invalid-request'])
  })

  it('is 404 for a coupon that nobody opened, and nothing is written', async () => {
    for (const action of ['restock', 'pause', 'resume', 'close']) {
      const body = action === 'restock' ? { add: 1 } : undefined
      expect(codeOf(await system.post(`/api/v1/coupons/none/${action}`, body))).toEqual([
        404,
        'unknown-coupon',
      ])
    }
    expect(await system.written()).toBe(0)
  })

  it('is 504 when the decision does not come', async () => {
    system.decider.pause()
    const waiting = system.open('late', 1)
    await system.untilWaiting()
    system.clock.advance(10_000)
    expect(codeOf(await waiting)).toEqual([504, 'outcome-unknown'])
  })
})

describe('showing', () => {
  it('is 404 for an unknown coupon and 400 for what is no id', async () => {
    expect(codeOf(await system.get('/api/v1/coupons/none'))).toEqual([404, 'unknown-coupon'])
    expect(codeOf(await system.get('/api/v1/coupons/a%20b'))).toEqual([400, 'invalid-request'])
  })

  it('has an ETag over the whole body', async () => {
    await system.open('c', 2, { endsAt: new Date(system.clock.now() + 60_000).toISOString() })
    const first = await system.get('/api/v1/coupons/c')
    const etag = first.headers.get('etag') as string
    expect((await system.get('/api/v1/coupons/c', { 'if-none-match': etag })).status).toBe(304)
    await system.decided('c', 'alice')
    const second = await system.get('/api/v1/coupons/c', { 'if-none-match': etag })
    expect(second.status).toBe(200)
    system.clock.advance(60_000)
    const ended = await system.get('/api/v1/coupons/c', {
      'if-none-match': second.headers.get('etag') as string,
    })
    expect(ended.body).toMatchObject({ state: 'ended', version: second.body['version'] })
  })

  it('sees at once what another gateway opened', async () => {
    const other = system.create({ viewDir: `${system.dir}/view-2` })
    await other.start()
    await system.untilReady(other)
    const opened = await system.call('POST', '/api/v1/coupons', {
      gateway: other,
      body: { couponId: 'n', stock: 1 },
    })
    expect(opened.status).toBe(201)
    expect((await system.get('/api/v1/coupons/n')).status).toBe(200)
    await other.close()
  })
})

describe('listing', () => {
  it('pages in the order of ids', async () => {
    for (const id of ['b', 'a', 'c', 'B', '~z', 'e']) await system.open(id, 1)
    const seen: unknown[] = []
    let cursor = ''
    for (;;) {
      const page = await system.get(`/api/v1/coupons?limit=2${cursor}`)
      const items = page.body['items'] as { couponId: string }[]
      expect(items.length).toBeLessThanOrEqual(2)
      seen.push(...items.map(({ couponId }) => couponId))
      if (page.body['nextCursor'] === null) break
      cursor = `&cursor=${page.body['nextCursor'] as string}`
    }
    expect(seen).toEqual(['B', 'a', 'b', 'c', 'e', '~z'])
  })

  it('filters by state', async () => {
    await system.open('open', 1)
    await system.open('sold', 0)
    await system.open('later', 1, { startsAt: '2100-01-01T00:00:00Z' })
    await system.open('ended', 1, { endsAt: '2020-01-01T00:00:00Z' })
    await system.open('paused', 1)
    await system.post('/api/v1/coupons/paused/pause')
    await system.open('closed', 1)
    await system.post('/api/v1/coupons/closed/close')
    const idsIn = async (state: string): Promise<unknown[]> => {
      const { body } = await system.get(`/api/v1/coupons?state=${state}`)
      return (body['items'] as { couponId: string }[]).map(({ couponId }) => couponId)
    }
    expect(await idsIn('open')).toEqual(['open'])
    expect(await idsIn('sold-out')).toEqual(['sold'])
    expect(await idsIn('scheduled')).toEqual(['later'])
    expect(await idsIn('ended')).toEqual(['ended'])
    expect(await idsIn('paused')).toEqual(['paused'])
    expect(await idsIn('closed')).toEqual(['closed'])
  })

  it.each(['limit=0', 'limit=501', 'limit=x', 'limit=', 'state=gone', 'cursor=%7B', 'cursor=', 'cursor=Li4'])(
    'refuses %s',
    async (query) => {
      expect(codeOf(await system.get(`/api/v1/coupons?${query}`))).toEqual([400, 'invalid-request'])
    },
  )
})

describe('winners and a user’s coupons', () => {
  const winner = { claimId: 'c-1', userId: 'alice', sequence: 1, issuedAt: 0 }

  it('pages winners as JSON or CSV', async () => {
    const asked: unknown[] = []
    await system.open('c', 1)
    await system.restart({
      reads: {
        winners: async (couponId, page) => {
          asked.push([couponId, page])
          return page.after === undefined ? { items: [winner], next: 1 } : { items: [] }
        },
        userCoupons: async () => ({ items: [] }),
      },
    })
    const path = '/api/v1/coupons/c/claims'
    const first = await system.get(`${path}?limit=1`)
    expect(first.body['items']).toEqual([{ ...winner, issuedAt: '1970-01-01T00:00:00.000Z' }])
    const next = first.body['nextCursor'] as string
    expect((await system.get(`${path}?limit=1&cursor=${next}`)).body).toEqual({ items: [], nextCursor: null })
    expect(asked).toEqual([
      ['c', { limit: 1 }],
      ['c', { limit: 1, after: 1 }],
    ])
    const csv = await system.get(`${path}?limit=1`, { accept: 'text/csv' })
    expect(csv.headers.get('content-type')).toMatch(/^text\/csv/)
    expect(csv.headers.get('link')).toBe(`<${path}?limit=1&cursor=${next}>; rel="next"`)
    expect(csv.text).toBe('sequence,userId,claimId,issuedAt\r\n1,alice,c-1,1970-01-01T00:00:00.000Z\r\n')
    const json = await system.get(path, { accept: 'text/csv;q=0.1, application/json' })
    expect(json.headers.get('content-type')).toBe('application/json')
    expect(codeOf(await system.get('/api/v1/coupons/none/claims'))).toEqual([404, 'unknown-coupon'])
  })

  it('pages what a user holds', async () => {
    const item = { couponId: 'c', name: null, sequence: 3, issuedAt: 1000 }
    await system.restart({
      reads: {
        winners: async () => ({ items: [] }),
        userCoupons: async (_, { cursor }) =>
          cursor === undefined ? { items: [item], nextCursor: 'a/b' } : { items: [], nextCursor: cursor },
      },
    })
    const first = await system.get('/api/v1/users/alice/coupons')
    expect(first.body['items']).toEqual([{ ...item, issuedAt: '1970-01-01T00:00:01.000Z' }])
    const next = first.body['nextCursor'] as string
    expect((await system.get(`/api/v1/users/alice/coupons?cursor=${next}`)).body['nextCursor']).toBe(next)
  })

  it.each(['SINK_STORE_UNAVAILABLE', 'SINK_STORE_REFUSED', 'RPC_CLOSED'])(
    'is 503 while the store is away: %s',
    async (code) => {
      const away = failing(code)
      await system.open('c', 1)
      await system.restart({ reads: { winners: away, userCoupons: away } })
      expect(codeOf(await system.get('/api/v1/users/alice/coupons'))).toEqual([503, 'store-unavailable'])
      expect(codeOf(await system.get('/api/v1/coupons/c/claims'))).toEqual([503, 'store-unavailable'])
    },
  )
})
