import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseClaimId } from '#domain/coupon'
import { Harness } from '../test/gateway/harness.ts'
import type { Answer } from '../test/gateway/harness.ts'

let system: Harness
beforeEach(async () => {
  system = await Harness.start()
})
afterEach(() => system.close())

function idOf(answer: Answer): string {
  return answer.body['claimId'] as string
}

function expectProblem(answer: Answer, status: number, code: string): void {
  expect(answer.body).toMatchObject({ type: `/problems/${code}`, status, code })
  expect(answer.status).toBe(status)
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  expect(typeof answer.body['title']).toBe('string')
  expect(typeof answer.body['detail']).toBe('string')
}

describe('POST claims', () => {
  it('is accepted once it is in the log, then issued', async () => {
    await system.open('summer', 2)
    const claim = await system.claim('summer', 'alice')
    expect(claim.status).toBe(202)
    const claimId = idOf(claim)
    expect(claim.body).toEqual({ claimId, couponId: 'summer', userId: 'alice', status: 'pending' })
    expect(claim.headers.get('location')).toBe(`/api/v1/claims/${claimId}`)
    expect(claim.headers.get('retry-after')).toBe('1')
    const polled = await system.get(`/api/v1/claims/${claimId}`, { prefer: 'wait=5' })
    expect(polled.status).toBe(200)
    expect(polled.body).toEqual({
      claimId,
      couponId: 'summer',
      userId: 'alice',
      status: 'issued',
      sequence: 1,
      decidedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    })
    const coupon = await system.get('/api/v1/coupons/summer')
    expect(coupon.body).toMatchObject({ stock: 2, issued: 1, remaining: 1 })
  })

  it('is refused by the gate when sold out, and nothing is written', async () => {
    await system.open('one', 1)
    expect((await system.decided('one', 'alice')).status).toBe(201)
    const before = await system.written()
    expectProblem(await system.claim('one', 'bob'), 409, 'sold-out')
    expect(await system.written()).toBe(before)
    expect((await system.get('/api/v1/coupons/one')).body).toMatchObject({ state: 'sold-out', remaining: 0 })
  })

  it('is refused before the start, with the time to come back', async () => {
    const startsAt = new Date(system.clock.now() + 60_000).toISOString()
    await system.open('later', 5, { startsAt })
    const before = await system.written()
    const answer = await system.claim('later', 'alice')
    expectProblem(answer, 409, 'not-started')
    expect(answer.body['startsAt']).toBe(startsAt)
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(55)
    expect(await system.written()).toBe(before)
  })

  it('reaches the log when it comes within 2 s of the start: the log decides by its own time', async () => {
    const startsAt = new Date(system.clock.now() + 1900).toISOString()
    await system.open('soon', 5, { startsAt })
    const answer = await system.decided('soon', 'alice')
    expectProblem(answer, 409, 'not-started')
    expect(parseClaimId(idOf(answer))).toBeDefined()
    expect(answer.body).toMatchObject({ startsAt, reason: 'not-started' })
    expect(answer.headers.get('retry-after')).toMatch(/^[12]$/)
    expect(answer.headers.get('preference-applied')).toBe('wait=10')
  })

  it('reaches the log within 2 s after the end, and is refused later', async () => {
    await system.open('short', 5, { endsAt: new Date(system.clock.now() - 1000).toISOString() })
    const answer = await system.decided('short', 'alice')
    expectProblem(answer, 409, 'ended')
    expect(answer.body['claimId']).toBeDefined()
    system.clock.advance(2000)
    const refused = await system.claim('short', 'alice')
    expectProblem(refused, 409, 'ended')
    expect(refused.body['claimId']).toBeUndefined()
  })

  it('is refused while paused, and when closed', async () => {
    await system.open('stop', 5)
    await system.post('/api/v1/coupons/stop/pause')
    expectProblem(await system.claim('stop', 'alice'), 409, 'paused')
    await system.post('/api/v1/coupons/stop/resume')
    expect((await system.claim('stop', 'alice')).status).toBe(202)
    await system.post('/api/v1/coupons/stop/close')
    expectProblem(await system.claim('stop', 'bob'), 409, 'closed')
  })

  it('is 404 for a coupon that nobody opened, and nothing is written', async () => {
    const before = await system.written()
    expectProblem(await system.claim('nothing', 'alice'), 404, 'unknown-coupon')
    expect(await system.written()).toBe(before)
  })

  it('keeps the order of the log: sequences follow offsets', async () => {
    await system.open('race', 10)
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, user) => system.decided('race', `user-${user}`)),
    )
    const won = answers.filter(({ status }) => status === 201)
    expect(won).toHaveLength(10)
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(20)
    const byOffset = won.toSorted(
      (one, other) => (parseClaimId(idOf(one))?.offset ?? 0) - (parseClaimId(idOf(other))?.offset ?? 0),
    )
    expect(byOffset.map(({ body }) => body['sequence'])).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  })
})

describe('Prefer: wait', () => {
  it('answers 201 with the body of the GET when issued', async () => {
    await system.open('summer', 2)
    const answer = await system.decided('summer', 'alice')
    expect(answer.status).toBe(201)
    expect(answer.headers.get('preference-applied')).toBe('wait=10')
    expect(answer.headers.get('location')).toBe(`/api/v1/claims/${idOf(answer)}`)
    expect(answer.body).toEqual((await system.get(`/api/v1/claims/${idOf(answer)}`)).body)
  })

  it('answers 409 with the reason and the claim when rejected', async () => {
    await system.open('summer', 2)
    await system.decided('summer', 'alice')
    const answer = await system.decided('summer', 'alice')
    expectProblem(answer, 409, 'limit-reached')
    expect(answer.body).toMatchObject({ reason: 'limit-reached', sequences: [1] })
    const polled = await system.get(`/api/v1/claims/${idOf(answer)}`)
    expect(polled.body).toMatchObject({ status: 'rejected', reason: 'limit-reached', sequences: [1] })
  })

  it('answers 202 when the time passed, also for a GET', async () => {
    await system.open('summer', 2)
    system.decider.pause()
    const waiting = system.claim('summer', 'alice', { prefer: 'wait=2' })
    await system.untilWaiting()
    system.clock.advance(2000)
    const answer = await waiting
    expect(answer.status).toBe(202)
    expect(answer.headers.get('preference-applied')).toBe('wait=2')
    expect(answer.body).toMatchObject({ status: 'pending', couponId: 'summer', userId: 'alice' })
    const polling = system.get(`/api/v1/claims/${idOf(answer)}`, { prefer: 'wait=30' })
    await system.untilWaiting()
    system.clock.advance(30_000)
    const polled = await polling
    expect(polled.status).toBe(200)
    expect(polled.headers.get('retry-after')).toBe('1')
    expect(polled.body['status']).toBe('pending')
  })

  it('is capped at 30 s, and ignored when it makes no sense', async () => {
    await system.open('summer', 9)
    const capped = await system.claim('summer', 'alice', { prefer: 'respond-async, wait=3600' })
    expect(capped.headers.get('preference-applied')).toBe('wait=30')
    const ignored = await system.claim('summer', 'bob', { prefer: 'wait=soon' })
    expect(ignored.status).toBe(202)
    expect(ignored.headers.get('preference-applied')).toBeNull()
  })
})

describe('GET a claim', () => {
  it('tells how many are ahead while pending, on any gateway', async () => {
    await system.open('summer', 9)
    system.decider.pause()
    await system.claim('summer', 'alice')
    await system.claim('summer', 'bob')
    const claim = await system.claim('summer', 'carol')
    const other = system.create({ viewDir: `${system.dir}/view-2` })
    await other.start()
    await system.untilReady(other)
    for (const gateway of [system.gateway, other]) {
      const polled = await system.call('GET', `/api/v1/claims/${idOf(claim)}`, { gateway })
      expect(polled.status).toBe(200)
      expect(polled.body).toEqual({ ...claim.body, status: 'pending', ahead: 2 })
      expect(polled.headers.get('retry-after')).toBe('1')
    }
    await other.close()
  })

  it('answers 304 to who has it', async () => {
    await system.open('summer', 9)
    const path = `/api/v1/claims/${idOf(await system.decided('summer', 'alice'))}`
    const etag = (await system.get(path)).headers.get('etag') as string
    const again = await system.get(path, { 'if-none-match': `"other", W/${etag}` })
    expect(again.status).toBe(304)
    expect(again.text).toBe('')
    expect(again.headers.get('etag')).toBe(etag)
    expect((await system.get(path, { 'if-none-match': '"other"' })).status).toBe(200)
  })

  it('is unknown when nonce, version, partition or offset is not one of ours', async () => {
    await system.open('summer', 9)
    const claimId = idOf(await system.decided('summer', 'alice'))
    const [nonce = '', version, partition, offset] = claimId.split('-')
    const wrongNonce = (nonce.startsWith('0') ? '1' : '0') + nonce.slice(1)
    system.decider.pause()
    const pending = idOf(await system.claim('summer', 'bob'))
    const unknown = [
      `${wrongNonce}-${version}-${partition}-${offset}`,
      `${wrongNonce}${pending.slice(16)}`,
      `${nonce}-2-${partition}-${offset}`,
      `${nonce}-${version}-7-${offset}`,
      `${nonce}-${version}-${partition}-${Number(offset) + 1000}`,
      `${nonce}-${version}-${partition}-0`,
      'nothing-of-ours',
      '%00',
    ]
    for (const id of unknown) expectProblem(await system.get(`/api/v1/claims/${id}`), 404, 'unknown-claim')
  })

  it('is 410 when it was decided longer ago than results are kept', async () => {
    await system.open('summer', 9)
    const claimId = idOf(await system.decided('summer', 'alice'))
    system.clock.advance(8 * 24 * 3600_000)
    const recent = idOf(await system.decided('summer', 'bob'))
    while ((await system.get(`/api/v1/claims/${claimId}`)).status === 200) await system.clock.sleep(5)
    expectProblem(await system.get(`/api/v1/claims/${claimId}`), 410, 'claim-expired')
    expect((await system.get(`/api/v1/claims/${recent}`)).body['status']).toBe('issued')
    await system.restart()
    expectProblem(await system.get(`/api/v1/claims/${claimId}`), 410, 'claim-expired')
    await system.restart({ viewDir: `${system.dir}/rebuilt` })
    expectProblem(await system.get(`/api/v1/claims/${claimId}`), 410, 'claim-expired')
    expect((await system.get(`/api/v1/claims/${recent}`)).body['status']).toBe('issued')
  })
})

describe('DELETE a claim', () => {
  it('gives the piece back, once and for all who ask again', async () => {
    await system.open('one', 1)
    const claimId = idOf(await system.decided('one', 'alice'))
    expectProblem(await system.claim('one', 'bob'), 409, 'sold-out')
    const cancelled = await system.call('DELETE', `/api/v1/claims/${claimId}`)
    expect(cancelled.status).toBe(200)
    expect(cancelled.body).toMatchObject({ claimId, status: 'cancelled', sequence: 1 })
    expect((await system.get('/api/v1/coupons/one')).body).toMatchObject({
      state: 'open',
      issued: 0,
      remaining: 1,
    })
    expect((await system.get(`/api/v1/claims/${claimId}`)).body['status']).toBe('cancelled')
    const before = await system.written()
    expect((await system.call('DELETE', `/api/v1/claims/${claimId}`)).status).toBe(200)
    expect(await system.written()).toBe(before)
    expect((await system.decided('one', 'alice')).body).toMatchObject({ status: 'issued', sequence: 2 })
  })

  it('gives back once when asked twice at the same time', async () => {
    await system.open('two', 2)
    const claimId = idOf(await system.decided('two', 'alice'))
    const answers = await Promise.all([1, 2, 3].map(() => system.call('DELETE', `/api/v1/claims/${claimId}`)))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect((await system.get('/api/v1/coupons/two')).body).toMatchObject({ issued: 0, remaining: 2 })
  })

  it('is 409 for a rejected or a pending claim, 404 for an unknown one', async () => {
    await system.open('one', 5)
    await system.decided('one', 'alice')
    const rejected = idOf(await system.decided('one', 'alice'))
    expectProblem(await system.call('DELETE', `/api/v1/claims/${rejected}`), 409, 'not-issued')
    system.decider.pause()
    const pending = idOf(await system.claim('one', 'bob'))
    expectProblem(await system.call('DELETE', `/api/v1/claims/${pending}`), 409, 'not-issued')
    expectProblem(await system.call('DELETE', '/api/v1/claims/none'), 404, 'unknown-claim')
  })

  it('is 504 when the decision does not come', async () => {
    await system.open('one', 1)
    const claimId = idOf(await system.decided('one', 'alice'))
    system.decider.pause()
    const waiting = system.call('DELETE', `/api/v1/claims/${claimId}`)
    await system.untilWaiting()
    system.clock.advance(10_000)
    expectProblem(await waiting, 504, 'outcome-unknown')
  })
})
