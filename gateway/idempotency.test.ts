import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Log, Reader } from '#log'
import { Harness } from '../test/gateway/harness.ts'
import { overlay } from '../test/gateway/overlay.ts'

let system: Harness
beforeEach(async () => {
  system = await Harness.start()
})
afterEach(() => system.close())

const key = (value: string): Record<string, string> => ({ 'idempotency-key': value })

it('answers a repeat with the first claim and writes nothing', async () => {
  await system.open('summer', 5)
  const first = await system.claim('summer', 'alice', key('k-1'))
  const before = await system.written()
  const again = await system.claim('summer', 'alice', key('"k-1"'))
  expect(again.status).toBe(202)
  expect(again.body['claimId']).toBe(first.body['claimId'])
  await system.get(`/api/v1/claims/${first.body['claimId'] as string}`, { prefer: 'wait=5' })
  const decided = await system.claim('summer', 'alice', key('k-1'))
  expect(decided.status).toBe(202)
  expect(decided.body['claimId']).toBe(first.body['claimId'])
  const waited = await system.decided('summer', 'alice', key('k-1'))
  expect(waited.status).toBe(201)
  expect(waited.body).toMatchObject({ claimId: first.body['claimId'], status: 'issued', sequence: 1 })
  expect(await system.written()).toBe(before)
})

it('lets a repeat during the first append wait for it', async () => {
  await system.open('summer', 5)
  const before = await system.written()
  const answers = await Promise.all([1, 2, 3, 4].map(() => system.claim('summer', 'alice', key('same'))))
  expect(new Set(answers.map(({ body }) => body['claimId'])).size).toBe(1)
  expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202])
  expect(await system.written()).toBe(before + 1)
})

it('is 422 for another body, in flight and decided, and for a key of another call', async () => {
  await system.open('summer', 5)
  system.decider.pause()
  const first = await system.claim('summer', 'alice', key('k'))
  const inFlight = await system.claim('summer', 'bob', key('k'))
  expect(inFlight.status).toBe(422)
  expect(inFlight.body['code']).toBe('idempotency-key-reused')
  system.decider.resume()
  await system.get(`/api/v1/claims/${first.body['claimId'] as string}`, { prefer: 'wait=5' })
  expect((await system.claim('summer', 'bob', key('k'))).status).toBe(422)
  await system.post('/api/v1/coupons/summer/restock', { add: 1 }, key('restocking'))
  expect((await system.claim('summer', 'bob', key('restocking'))).status).toBe(422)
})

it('is scoped to the coupon', async () => {
  await system.open('one', 5)
  await system.open('two', 5)
  const first = await system.decided('one', 'alice', key('k'))
  const second = await system.decided('two', 'bob', key('k'))
  expect([first.status, second.status]).toEqual([201, 201])
})

it('gives the first outcome when the gate is closed, and refuses a key it has not seen', async () => {
  await system.open('one', 1)
  const won = await system.decided('one', 'alice', key('winner'))
  const before = await system.written()
  const again = await system.claim('one', 'alice', key('winner'))
  expect(again.status).toBe(201)
  expect(again.body).toEqual(won.body)
  const late = await system.claim('one', 'bob', key('late'))
  expect(late.status).toBe(409)
  expect(late.body['code']).toBe('sold-out')
  expect(await system.written()).toBe(before)
})

it('gives the first rejection when the gate is closed', async () => {
  await system.open('one', 5)
  await system.decided('one', 'alice')
  const rejected = await system.decided('one', 'alice', key('second'))
  await system.post('/api/v1/coupons/one/pause')
  const again = await system.claim('one', 'alice', key('second'))
  expect(again.status).toBe(409)
  expect(again.body).toMatchObject({ code: 'limit-reached', claimId: rejected.body['claimId'] })
})

it('appends a keyed claim to a closed gate while the view is not past the closing', async () => {
  await system.open('one', 1)
  const endsAt = new Date(system.clock.now() + 1000).toISOString()
  await system.open('ending', 5, { endsAt })
  system.clock.advance(4000)
  // Nothing was decided after the end yet, so an earlier claim under the key could still be undecided.
  const first = await system.decided('ending', 'alice', key('k'))
  expect(first.body).toMatchObject({ code: 'ended', claimId: expect.anything() })
  const before = await system.written()
  const next = await system.claim('ending', 'bob', key('k-2'))
  expect(next.body['code']).toBe('ended')
  expect(await system.written()).toBe(before)
})

it('appends a keyed claim to a sold out gate while the view is behind the claim that took the last piece', async () => {
  const readers: Reader[] = []
  const behind = system.create({
    viewDir: `${system.dir}/view-behind`,
    log: overlay<Log>(system.log, {
      reader: (options) => (readers[readers.length] = system.log.reader(options)),
    }),
  })
  await system.open('one', 1)
  await behind.start()
  await system.untilReady(behind)
  for (const partition of [0, 1]) readers[0]?.pause({ topic: 'coupon-result', partition })
  const won = await system.decided('one', 'alice', key('k'))
  const claim = (userId: string, headers: Record<string, string>) =>
    system.call('POST', '/api/v1/coupons/one/claims', { gateway: behind, body: { userId }, headers })
  while ((await claim('bob', {})).status !== 409) await system.clock.sleep(5)
  const again = await claim('alice', key('k'))
  expect(again.status).toBe(202)
  for (const partition of [0, 1]) readers[0]?.resume({ topic: 'coupon-result', partition })
  const outcome = await system.get(`/api/v1/claims/${again.body['claimId'] as string}`, { prefer: 'wait=5' })
  expect(outcome.body).toMatchObject({ status: 'issued', sequence: won.body['sequence'] })
  await behind.close()
})

it('gives the same outcome through another gateway, under a claim of its own', async () => {
  await system.open('summer', 5)
  const other = system.create({ viewDir: `${system.dir}/view-2` })
  await other.start()
  await system.untilReady(other)
  system.decider.pause()
  const first = await system.claim('summer', 'alice', key('k'))
  const second = await system.call('POST', '/api/v1/coupons/summer/claims', {
    gateway: other,
    body: { userId: 'alice' },
    headers: key('k'),
  })
  expect(second.status).toBe(202)
  expect(second.body['claimId']).not.toBe(first.body['claimId'])
  system.decider.resume()
  const states = []
  for (const { body } of [first, second]) {
    const claim = await system.get(`/api/v1/claims/${body['claimId'] as string}`, { prefer: 'wait=5' })
    states.push([claim.body['status'], claim.body['sequence']])
  }
  expect(states).toEqual([
    ['issued', 1],
    ['issued', 1],
  ])
  expect((await system.get('/api/v1/coupons/summer')).body).toMatchObject({ issued: 1 })
  const cancelled = await system.call('DELETE', `/api/v1/claims/${second.body['claimId'] as string}`)
  expect(cancelled.body['status']).toBe('cancelled')
  expect((await system.get(`/api/v1/claims/${first.body['claimId'] as string}`)).body['status']).toBe(
    'cancelled',
  )
  await other.close()
})

it('forgets keys with their retention', async () => {
  await system.open('summer', 5)
  const first = await system.decided('summer', 'alice', key('k'))
  system.clock.advance(49 * 3600_000)
  const second = await system.decided('summer', 'alice', key('k'))
  expect(second.body['claimId']).not.toBe(first.body['claimId'])
  expect(second.body['code']).toBe('limit-reached')
})

it('remembers keys over a restart', async () => {
  await system.open('summer', 5)
  const first = await system.decided('summer', 'alice', key('k'))
  await system.restart()
  const before = await system.written()
  expect((await system.decided('summer', 'alice', key('k'))).body['claimId']).toBe(first.body['claimId'])
  expect(await system.written()).toBe(before)
})

it('is 400 for a key outside of the alphabet', async () => {
  await system.open('summer', 5)
  for (const bad of ['a b', '""', 'x'.repeat(129), '..']) {
    const answer = await system.claim('summer', 'alice', key(bad))
    expect(answer.status).toBe(400)
    expect(answer.body['errors']).toMatchObject([{ path: 'Idempotency-Key' }])
  }
})

it('gives an operator the first outcome again', async () => {
  const first = await system.post('/api/v1/coupons', { couponId: 'c', stock: 3 }, key('opening'))
  const again = await system.post('/api/v1/coupons', { couponId: 'c', stock: 3 }, key('opening'))
  expect([first.status, again.status]).toEqual([201, 201])
  expect((await system.post('/api/v1/coupons/c/restock', { add: 2 }, key('more'))).body['stock']).toBe(5)
  expect((await system.post('/api/v1/coupons/c/restock', { add: 2 }, key('more'))).body['stock']).toBe(5)
  const other = await system.post('/api/v1/coupons/c/restock', { add: 3 }, key('more'))
  expect(other.status).toBe(422)
})
