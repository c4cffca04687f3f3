import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SeededRandom } from '#core'
import type { ProcessorNode } from '#topology'
import { checkSameBytes } from './invariants.ts'
import { couponTopics } from './messages.ts'
import { terms } from './test-coupons.ts'
import { nonceOf } from './test-data.ts'
import { CouponHarness, claimIdOf } from './test-harness.ts'
import { couponTopology } from './topology.ts'

let coupons: CouponHarness
beforeEach(() => {
  coupons = new CouponHarness({ idempotencyRetentionMs: 10_000 })
})
afterEach(() => {
  expect(coupons.violations()).toEqual([])
})

describe('open', () => {
  it('makes a coupon and shows it whole', () => {
    const discount = { amount: 500, currency: 'KRW' }
    const opened = coupons.open({ stock: 5, name: '쿠폰', perUserLimit: 2, startsAt: 5, discount })
    const coupon = {
      ...terms({ stock: 5, name: '쿠폰', perUserLimit: 2, startsAt: 5, discount }),
      couponId: 'c',
      remaining: 5,
      paused: false,
      closed: false,
      openedAt: 1000,
      version: 1,
    }
    expect(opened).toEqual({
      partition: 0,
      offset: 0,
      nonce: nonceOf(0),
      command: 'open',
      outcome: 'done',
      couponId: 'c',
      userId: 'op',
      decidedAt: 1000,
      remaining: 5,
      version: 1,
      coupon,
    })
    expect(coupons.statuses).toEqual([{ ...coupon, partition: 0, offset: 0 }])
    expect(coupons.statusKeys).toEqual(['c'])
  })

  it('changes nothing when asked for the same again, also after a restock and after closing', () => {
    coupons.open({ stock: 5, discount: { percent: 10 } })
    coupons.ask({ command: 'restock', add: 3 })
    coupons.ask({ command: 'close' })
    const again = coupons.open({ stock: 5, discount: { percent: 10 } }, { by: 'another' })
    expect(again).toMatchObject({ outcome: 'unchanged', version: 3, coupon: { stock: 8, closed: true } })
  })

  it.each([
    [{ stock: 6 }],
    [{ name: 'other' }],
    [{ perUserLimit: 2 }],
    [{ startsAt: 1 }],
    [{ endsAt: 1 }],
    [{ validUntil: 1 }],
    [{ discount: { percent: 11 } }],
    [{ discount: { amount: 10, currency: 'EUR' } }],
    [{ discount: null }],
  ])('is refused with other terms: %j', (change) => {
    const first = { stock: 5, discount: { percent: 10 } }
    coupons.open(first)
    expect(coupons.open({ ...first, ...change })).toMatchObject({
      outcome: 'rejected',
      reason: 'coupon-exists',
      coupon: { stock: 5, version: 1 },
    })
    expect(coupons.statuses).toHaveLength(1)
  })
})

describe('issue', () => {
  it('is refused for a coupon that nobody opened, without counts', () => {
    const result = coupons.issue('u')
    expect(result).toMatchObject({ outcome: 'rejected', reason: 'unknown-coupon' })
    expect(result).not.toHaveProperty('remaining')
    expect(result).not.toHaveProperty('version')
  })

  it('gives pieces in order until they are gone, and says so once', () => {
    coupons.open({ stock: 2 })
    expect(coupons.issue('a')).toMatchObject({
      outcome: 'issued',
      sequence: 1,
      slot: 1,
      remaining: 1,
      version: 2,
    })
    expect(coupons.issue('b')).toMatchObject({
      outcome: 'issued',
      sequence: 2,
      slot: 1,
      remaining: 0,
      version: 3,
    })
    expect(coupons.issue('c')).toMatchObject({
      outcome: 'rejected',
      reason: 'sold-out',
      remaining: 0,
      version: 3,
    })
    expect(coupons.statuses.map(({ remaining, offset }) => [remaining, offset])).toEqual([
      [2, 0],
      [0, 2],
    ])
  })

  it('tells a user at the limit what they hold, even when nothing is left', () => {
    coupons.open({ stock: 3, perUserLimit: 2 })
    coupons.issue('a')
    coupons.issue('b')
    expect(coupons.issue('a')).toMatchObject({ outcome: 'issued', sequence: 3, slot: 2 })
    expect(coupons.issue('a')).toMatchObject({ reason: 'limit-reached', sequences: [1, 3], remaining: 0 })
    expect(coupons.issue('b')).toMatchObject({ reason: 'sold-out' })
  })

  it('starts inclusively and ends exclusively, by log time', () => {
    coupons.open({ startsAt: 2000, endsAt: 3000 })
    const at = (now: number, user: string): string | undefined => {
      coupons.now = now
      const { outcome, reason } = coupons.issue(user)
      return reason ?? outcome
    }
    expect(at(1999, 'a')).toBe('not-started')
    expect(at(2000, 'a')).toBe('issued')
    expect(at(2999, 'b')).toBe('issued')
    expect(at(3000, 'c')).toBe('ended')
    expect(at(2999, 'd')).toBe('ended')
  })

  it('names the first reason of closed, ended, paused, not started', () => {
    coupons.open({ stock: 0, startsAt: 2000, endsAt: 3000 })
    expect(coupons.issue('a').reason).toBe('not-started')
    coupons.ask({ command: 'pause' })
    expect(coupons.issue('a').reason).toBe('paused')
    coupons.now = 3000
    expect(coupons.issue('a').reason).toBe('ended')
    coupons.ask({ command: 'close' })
    expect(coupons.issue('a').reason).toBe('closed')
  })

  it('gives exactly 100 of 100 under 10,000 requests with duplicates, to the first users', () => {
    coupons.open({ stock: 100 })
    const random = new SeededRandom(7)
    const users = Array.from({ length: 10_000 }, () => `user-${random.integer(0, 3000)}`)
    const winners: string[] = []
    for (const user of users) if (coupons.issue(user).outcome === 'issued') winners.push(user)
    expect(winners).toEqual([...new Set(users)].slice(0, 100))
    const { results } = coupons.history
    const sequences = results.flatMap(({ outcome, sequence }) => (outcome === 'issued' ? [sequence] : []))
    expect(sequences).toEqual(Array.from({ length: 100 }, (_, index) => index + 1))
    expect(coupons.holders()).toBe(100)
  })
})

describe('cancel', () => {
  it('returns the piece to the stock; claiming again gets a new sequence and the free slot', () => {
    coupons.open({ stock: 2, perUserLimit: 2 })
    const first = coupons.issue('a')
    coupons.issue('a')
    const claimId = claimIdOf(first)
    expect(coupons.cancel('a', claimId)).toMatchObject({
      outcome: 'cancelled',
      userId: 'a',
      sequence: 1,
      claimId,
      remaining: 1,
      version: 4,
    })
    expect(coupons.issue('a')).toMatchObject({
      outcome: 'issued',
      sequence: 3,
      slot: 1,
      remaining: 0,
      version: 5,
    })
    expect(coupons.issue('a')).toMatchObject({ reason: 'limit-reached', sequences: [2, 3] })
    expect(coupons.statuses.map(({ remaining }) => remaining)).toEqual([2, 0, 1, 0])
  })

  it('forgets a user who holds nothing any more', () => {
    coupons.open()
    coupons.cancel('a', claimIdOf(coupons.issue('a')))
    expect(coupons.holders()).toBe(0)
  })

  it('is possible on a coupon that is paused, ended and closed', () => {
    coupons.open({ stock: 1, endsAt: 2000 })
    const claimId = claimIdOf(coupons.issue('a'))
    coupons.ask({ command: 'pause' })
    coupons.ask({ command: 'close' })
    coupons.now = 2000
    expect(coupons.cancel('a', claimId).outcome).toBe('cancelled')
  })

  it('is refused for what is not held by that user now', () => {
    coupons.open({ stock: 1 })
    const issued = coupons.issue('a')
    const sentAway = coupons.issue('b')
    const refused = [
      coupons.cancel('b', claimIdOf(issued)),
      coupons.cancel('b', claimIdOf(sentAway)),
      coupons.cancel('a', claimIdOf({ ...issued, nonce: nonceOf(99) })),
      coupons.cancel('a', claimIdOf({ ...issued, partition: 1 })),
      coupons.cancel('a', claimIdOf({ ...issued, offset: 0 })),
      coupons.cancel('a', claimIdOf(issued).replace('-1-', '-2-')),
      coupons.cancel('a', 'no-claim'),
    ]
    for (const result of refused) expect(result).toMatchObject({ outcome: 'rejected', reason: 'not-issued' })
    expect(coupons.cancel('a', claimIdOf(issued)).outcome).toBe('cancelled')
    expect(coupons.cancel('a', claimIdOf(issued)).reason).toBe('not-issued')
    expect(coupons.ask({ command: 'cancel', couponId: 'd', userId: 'a', claimId: 'x' }).reason).toBe(
      'unknown-coupon',
    )
  })
})

describe('operators', () => {
  it('restock up to the limit of the contract, which makes a coupon available again', () => {
    coupons.open({ stock: 0 })
    expect(coupons.issue('a').reason).toBe('sold-out')
    expect(coupons.ask({ command: 'restock', add: 2 })).toMatchObject({
      outcome: 'done',
      remaining: 2,
      version: 2,
      coupon: { stock: 2, remaining: 2 },
    })
    expect(coupons.ask({ command: 'restock', add: 1e12 - 1 })).toMatchObject({
      reason: 'stock-limit',
      version: 2,
    })
    expect(coupons.ask({ command: 'restock', add: 1e12 - 2 })).toMatchObject({ outcome: 'done', version: 3 })
    expect(coupons.statuses.map(({ stock }) => stock)).toEqual([0, 2, 1e12])
  })

  it('pause, resume and close, each once', () => {
    coupons.open()
    const asked = ['pause', 'pause', 'resume', 'resume', 'close', 'close'] as const
    const outcomes = asked.map((command) => {
      const { outcome, version, coupon } = coupons.ask({ command })
      return [outcome, version, coupon?.paused, coupon?.closed]
    })
    expect(outcomes).toEqual([
      ['done', 2, true, false],
      ['unchanged', 2, true, false],
      ['done', 3, false, false],
      ['unchanged', 3, false, false],
      ['done', 4, false, true],
      ['unchanged', 4, false, true],
    ])
    expect(coupons.statuses.map(({ offset }) => offset)).toEqual([0, 1, 3, 5])
  })

  it('get closed for all but close on a closed coupon, and unknown-coupon where there is none', () => {
    for (const command of ['pause', 'resume', 'close'] as const) {
      expect(coupons.ask({ command }).reason).toBe('unknown-coupon')
    }
    expect(coupons.ask({ command: 'restock', add: 1 }).reason).toBe('unknown-coupon')
    coupons.open()
    coupons.ask({ command: 'close' })
    for (const command of ['pause', 'resume'] as const) expect(coupons.ask({ command }).reason).toBe('closed')
    expect(coupons.ask({ command: 'restock', add: 1e12 }).reason).toBe('closed')
  })
})

describe('an Idempotency-Key', () => {
  it('gives the first outcome again, and counts nowhere', () => {
    coupons.open({ stock: 2, perUserLimit: 2 })
    const first = coupons.issue('a', 'k')
    coupons.now = 1500
    expect(coupons.issue('a', 'k')).toEqual({
      partition: 0,
      offset: 2,
      nonce: nonceOf(2),
      command: 'issue',
      outcome: 'repeat',
      idempotencyKey: 'k',
      couponId: 'c',
      userId: 'a',
      first: { offset: 1, nonce: first.nonce, outcome: 'issued', sequence: 1, decidedAt: 1000 },
      decidedAt: 1500,
      remaining: 1,
      version: 2,
    })
  })

  it('comes before everything else: the coupon may be closed since', () => {
    coupons.open({ stock: 0 }, { idempotencyKey: 'open' })
    expect(coupons.issue('a', 'k').reason).toBe('sold-out')
    coupons.ask({ command: 'close', idempotencyKey: 'close' })
    expect(coupons.issue('a', 'k')).toMatchObject({ outcome: 'repeat', first: { reason: 'sold-out' } })
    expect(coupons.open({ stock: 0 }, { idempotencyKey: 'open' })).toMatchObject({
      outcome: 'repeat',
      first: { outcome: 'done', offset: 0 },
    })
    expect(coupons.ask({ command: 'close', idempotencyKey: 'close' }).outcome).toBe('repeat')
  })

  it('is refused for another user, another body, another command; the first stays', () => {
    coupons.open({ perUserLimit: 3 })
    const claimId = claimIdOf(coupons.issue('a', 'k'))
    const others = [
      coupons.issue('b', 'k'),
      coupons.ask({ command: 'cancel', userId: 'a', claimId, idempotencyKey: 'k' }),
      coupons.ask({ command: 'pause', idempotencyKey: 'k' }),
      coupons.open({ perUserLimit: 3 }, { idempotencyKey: 'k' }),
    ]
    for (const result of others)
      expect(result).toMatchObject({ reason: 'idempotency-key-reused', version: 2 })
    expect(coupons.issue('a', 'k').outcome).toBe('repeat')

    coupons.ask({ command: 'restock', add: 1, idempotencyKey: 'r' })
    expect(coupons.ask({ command: 'restock', add: 2, idempotencyKey: 'r' }).reason).toBe(
      'idempotency-key-reused',
    )
    expect(coupons.ask({ command: 'restock', add: 1, by: 'other', idempotencyKey: 'r' }).reason).toBe(
      'idempotency-key-reused',
    )
    expect(coupons.ask({ command: 'restock', add: 1, idempotencyKey: 'r' }).outcome).toBe('repeat')
  })

  it('belongs to its coupon', () => {
    coupons.open()
    coupons.open({}, { couponId: 'd' })
    coupons.issue('a', 'k')
    const elsewhere = coupons.ask({ command: 'issue', couponId: 'd', userId: 'b', idempotencyKey: 'k' })
    expect(elsewhere.outcome).toBe('issued')
  })

  it('is not remembered for an unknown coupon', () => {
    expect(coupons.issue('a', 'k').reason).toBe('unknown-coupon')
    coupons.open()
    expect(coupons.issue('a', 'k').outcome).toBe('issued')
  })

  it.each([10_000, 13_000, 19_999])(
    'is remembered exactly for the retention when first seen at %d',
    (firstAt) => {
      coupons.open({ perUserLimit: 5 })
      coupons.now = firstAt
      coupons.issue('a', 'k')
      coupons.now = firstAt + 9999
      expect(coupons.issue('a', 'k').outcome).toBe('repeat')
      coupons.now = firstAt + 10_000
      expect(coupons.issue('a', 'k')).toMatchObject({ outcome: 'issued', sequence: 2 })
      coupons.now = firstAt + 19_999
      expect(coupons.issue('a', 'k')).toMatchObject({ outcome: 'repeat', first: { sequence: 2 } })
    },
  )

  it('is dropped with its whole bucket once nothing in it can be recalled', () => {
    coupons.open()
    coupons.now = 15_000
    coupons.issue('a', 'k')
    coupons.now = 29_999
    coupons.issue('b', 'l')
    expect(coupons.keyBuckets).toEqual([1, 2])
    coupons.now = 30_000
    coupons.issue('c')
    expect(coupons.keyBuckets).toEqual([2])
    coupons.now = 90_000
    coupons.issue('d')
    expect(coupons.keyBuckets).toEqual([])
  })
})

describe('a record that fails', () => {
  it('is answered with internal-error when it was readable, and has no effect', () => {
    coupons.open({ stock: 1 })
    const failed = coupons.ask({ command: 'issue', userId: 'a', idempotencyKey: 'k' }, 'other-key')
    expect(failed).toEqual({
      partition: 0,
      offset: 1,
      nonce: nonceOf(1),
      command: 'issue',
      outcome: 'rejected',
      reason: 'internal-error',
      idempotencyKey: 'k',
      couponId: 'c',
      userId: 'a',
      decidedAt: 1000,
    })
    expect(coupons.deadLetters.map(({ code }) => code)).toEqual(['COUPON_KEY_MISMATCH'])
    expect(coupons.issue('a', 'k')).toMatchObject({ outcome: 'issued', sequence: 1 })
  })

  it('has no result when it was not, but moves time', () => {
    coupons.open({ endsAt: 5000 })
    coupons.now = 5000
    coupons.appendBytes('c', '{"command":"issue"')
    coupons.appendBytes('c', '{"command":"issue"}')
    expect(coupons.history.results).toHaveLength(1)
    expect(coupons.deadLetters).toHaveLength(2)
    coupons.now = 4000
    expect(coupons.issue('a')).toMatchObject({ reason: 'ended', decidedAt: 5000 })
  })

  it('is answered even when every store is broken', () => {
    const broken = new Proxy({}, { get: () => () => expect.unreachable('a store was touched') })
    const node = couponTopology({ topics: couponTopics() }).subtopologies[0]?.nodes.find(
      (each): each is ProcessorNode => each.kind === 'processor',
    )
    const results: unknown[] = []
    const processor = node?.init({
      stores: { coupons: broken, issuedUsers: broken, idempotency: broken } as never,
      emit: { result: (_key: unknown, result: unknown) => results.push(result) },
      taskId: '0_0',
      streamTime: () => 5,
      schedule: () => expect.unreachable('a timer was set'),
    })
    const value = coupons.command({ command: 'issue', userId: 'a' })
    const record = { key: 'c', value, topic: 't', partition: 3, offset: 4, timestamp: 5, headers: [] }
    processor?.onPoison?.(record, new Error('broken'))
    expect(results).toEqual([expect.objectContaining({ partition: 3, offset: 4, reason: 'internal-error' })])
  })
})

describe('replay', () => {
  it('gives the same bytes', () => {
    const again = new CouponHarness({ idempotencyRetentionMs: 10_000 })
    for (const each of [coupons, again]) {
      each.open({ stock: 3, perUserLimit: 2, name: '"né"' })
      const random = new SeededRandom(1)
      for (let index = 0; index < 200; index++) {
        each.now += 500
        const result = each.issue(`u${random.integer(0, 5)}`, `k${random.integer(0, 30)}`)
        if (random.next() < 0.3) each.cancel(result.userId, claimIdOf(result))
      }
    }
    expect(coupons.resultRecords.length).toBeGreaterThan(200)
    expect(checkSameBytes(coupons.resultRecords, again.resultRecords)).toEqual([])
    expect(checkSameBytes(coupons.statusRecords, again.statusRecords)).toEqual([])
  })
})
