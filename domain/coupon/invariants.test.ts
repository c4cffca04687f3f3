import { beforeEach, describe, expect, it } from 'vitest'
import {
  checkDecisions,
  checkHistory,
  checkOneResult,
  checkRows,
  checkSameBytes,
  checkStock,
  checkStockAtRest,
  checkUserLimit,
  checkWinners,
  foldResults,
} from './invariants.ts'
import type { PartitionHistory, Violation } from './invariants.ts'
import type { CouponResult, CouponStatus } from './messages.ts'
import { nonceOf } from './test-data.ts'
import { CouponHarness, claimIdOf } from './test-harness.ts'

/**
 * Offsets: 0 open (stock 2, limit 1), 1 a wins, 2 b wins, 3 c is sent away, 4 a asks again and is at the limit,
 * 5 a repeats 1 by its key.
 */
let coupons: CouponHarness
let history: PartitionHistory
beforeEach(() => {
  coupons = new CouponHarness()
  coupons.open({ stock: 2 })
  coupons.issue('a', 'k')
  coupons.issue('b')
  coupons.issue('c')
  coupons.issue('a')
  coupons.issue('a', 'k')
  history = coupons.history
})

/** The history with the result of one command changed; a member set to undefined is removed. */
function planted(
  offset: number,
  change: { readonly [M in keyof CouponResult]?: CouponResult[M] | undefined },
) {
  const results = history.results.map((result) => {
    if (result.offset !== offset) return result
    const members = Object.entries(Object.assign({}, result, change))
    return Object.fromEntries(members.filter(([, value]) => value !== undefined)) as unknown as CouponResult
  })
  return { ...history, results }
}

function without(offset: number): PartitionHistory {
  return { ...history, results: history.results.filter((result) => result.offset !== offset) }
}

/** Where the statuses are not as the rules have them. */
function misdecided(statuses: readonly CouponStatus[]): unknown[] {
  return placesOf(checkDecisions({ ...history, statuses }))
}

function placesOf(violations: readonly Violation[]): unknown[] {
  return violations.map(({ invariant, offset }) => [invariant, offset])
}

const won = { outcome: 'issued', reason: undefined, slot: 1 } as const

it('finds nothing wrong with a sound history', () => {
  expect(checkHistory(history)).toEqual([])
})

describe('invariant 1', () => {
  it('sees more pieces out than stock', () => {
    expect(placesOf(checkStock(planted(3, { ...won, sequence: 3 })))).toEqual([[1, 3]])
  })

  it('sees a piece given back that was not out', () => {
    const cancelled = { outcome: 'cancelled', command: 'cancel', sequence: 1 } as const
    expect(placesOf(checkStock(planted(1, cancelled)))).toEqual([[1, 1]])
  })

  it('sees pieces kept back at rest', () => {
    const violations = checkStockAtRest(planted(2, { outcome: 'rejected', reason: 'sold-out' }))
    expect(violations).toMatchObject([
      { invariant: 1, couponId: 'c', message: expect.stringContaining('gave out 1') },
    ])
  })

  it('does not compare at rest where cancels or late restocks make order matter', () => {
    coupons.ask({ command: 'restock', add: 5 })
    expect(checkStockAtRest(coupons.history)).toEqual([])
    const other = new CouponHarness()
    other.open({ stock: 1 })
    other.cancel('a', claimIdOf(other.issue('a')))
    expect(checkStockAtRest(other.history)).toEqual([])
  })
})

describe('invariant 2', () => {
  it('sees a user beyond the limit', () => {
    const violations = checkUserLimit(planted(4, { ...won, sequence: 3, slot: 2 }))
    expect(placesOf(violations)).toEqual([
      [2, 4],
      [2, 4],
    ])
  })

  it('sees a slot given twice', () => {
    const other = new CouponHarness()
    other.open({ perUserLimit: 2 })
    other.issue('a')
    other.issue('a')
    history = other.history
    expect(placesOf(checkUserLimit(planted(2, { slot: 1 })))).toEqual([[2, 2]])
  })

  it('sees a piece given back twice', () => {
    const other = new CouponHarness()
    other.open()
    const claimId = claimIdOf(other.issue('a'))
    other.cancel('a', claimId)
    other.cancel('a', claimId)
    history = other.history
    const twice = { outcome: 'cancelled', reason: undefined, sequence: 1 } as const
    expect(placesOf(checkUserLimit(planted(3, twice)))).toEqual([[2, 3]])
  })
})

describe('invariant 3', () => {
  it('sees an early request sent away and a late one served', () => {
    const sentAway = planted(2, { outcome: 'rejected', reason: 'sold-out', sequence: undefined })
    history = sentAway
    expect(placesOf(checkWinners(sentAway))).toEqual([
      [3, 2],
      [3, 3],
    ])
    expect(placesOf(checkWinners(planted(3, { ...won, sequence: 2 })))).toEqual([[3, 2]])
  })

  it('sees a gap and a sequence used again', () => {
    expect(placesOf(checkWinners(planted(2, { sequence: 3 })))).toEqual([[3, 2]])
    expect(placesOf(checkWinners(planted(2, { sequence: 1 })))).toEqual([[3, 2]])
  })

  it('sees pieces given before the start, from the end on, while paused and after closing', () => {
    const other = new CouponHarness()
    other.open({ stock: 9, startsAt: 2000, endsAt: 3000 })
    other.issue('a')
    other.now = 2000
    other.ask({ command: 'pause' })
    other.issue('b')
    other.now = 3000
    other.ask({ command: 'resume' })
    other.issue('c')
    other.ask({ command: 'close' })
    other.issue('d')
    for (const offset of [1, 3, 5, 7]) {
      history = other.history
      expect(placesOf(checkWinners(planted(offset, { ...won, sequence: 1 })))).toEqual([[3, offset]])
    }
  })
})

describe('invariant 4', () => {
  it('sees a command without a result, at rest also the last ones', () => {
    expect(placesOf(checkOneResult(without(2)))).toEqual([[4, 2]])
    expect(placesOf(checkOneResult(without(2), { atRest: false }))).toEqual([[4, 2]])
    expect(placesOf(checkOneResult(without(5)))).toEqual([[4, 5]])
    expect(checkOneResult(without(5), { atRest: false })).toEqual([])
  })

  it('sees a second result, one without a command, and a wrong order', () => {
    const [first, second, ...rest] = history.results as [CouponResult, CouponResult, ...CouponResult[]]
    const results = (list: readonly CouponResult[]): Violation[] =>
      checkOneResult({ ...history, results: list })
    expect(placesOf(results([...history.results, second]))).toEqual([[4, 1]])
    expect(placesOf(results([...history.results, { ...second, offset: 77 }]))).toEqual([[4, 77]])
    expect(placesOf(results([second, first, ...rest]))).toEqual([[4, 0]])
  })

  it.each([
    { partition: 1 },
    { nonce: nonceOf(77) },
    { command: 'cancel' },
    { couponId: 'd' },
    { userId: 'z' },
    { idempotencyKey: undefined },
  ] as const)('sees a result about something else: %j', (change) => {
    expect(placesOf(checkOneResult(planted(1, change)))).toEqual([[4, 1]])
  })

  it('sees an acknowledged request that is not in the log', () => {
    const acknowledged = [
      { offset: 1, nonce: nonceOf(1) },
      { offset: 2, nonce: nonceOf(77) },
      { offset: 99, nonce: nonceOf(99) },
    ]
    expect(placesOf(checkOneResult(history, { acknowledged }))).toEqual([
      [4, 2],
      [4, 99],
    ])
  })
})

describe('invariant 5', () => {
  it.each([
    [1, { sequence: 2 }],
    [1, { decidedAt: 1001 }],
    [2, { remaining: 1 }],
    [3, { reason: 'closed' }],
    [4, { sequences: [2] }],
    [5, { outcome: 'issued', first: undefined }],
    [0, { coupon: undefined }],
  ] as const)('sees that command %d was decided otherwise: %j', (offset, change) => {
    expect(placesOf(checkDecisions(planted(offset, change)))).toEqual([[5, offset]])
  })

  it('takes an internal-error as a command without effect', () => {
    const failed = {
      outcome: 'rejected',
      reason: 'internal-error',
      sequence: undefined,
      slot: undefined,
    } as const
    // Without b, the last piece was c's: command 3 is wrong, and what selling out looks like comes from there.
    const violations = checkDecisions({ ...planted(2, failed), statuses: [] })
    expect(placesOf(violations)).toEqual([
      [5, 3],
      [5, 0],
      [5, 3],
    ])
  })

  it('sees a status missing, surplus or wrong', () => {
    const [opened, soldOut] = coupons.statuses
    if (opened === undefined || soldOut === undefined) throw new Error('there are two statuses')
    expect(misdecided([opened])).toEqual([[5, 2]])
    expect(misdecided([opened, soldOut, soldOut])).toEqual([[5, 2]])
    expect(misdecided([opened, { ...soldOut, remaining: 1 }])).toEqual([[5, 2]])
  })

  it('sees bytes that differ after replay', () => {
    const record = { key: Buffer.from('k'), value: Buffer.from('v') }
    expect(checkSameBytes([record], [record])).toEqual([])
    expect(checkSameBytes([record], [])).toHaveLength(1)
    expect(checkSameBytes([record], [{ ...record, key: Buffer.from('x') }])).toHaveLength(1)
    expect(checkSameBytes([record], [{ ...record, value: Buffer.from('x') }])).toHaveLength(1)
  })
})

describe('invariant 7', () => {
  it('folds results into coupons, claims, repeats and what users hold', () => {
    const [, a, b, c, again, repeat] = history.results as CouponResult[] as [
      CouponResult,
      ...CouponResult[],
    ] & {
      [index: number]: CouponResult
    }
    coupons.cancel('b', claimIdOf(b as CouponResult))
    const view = foldResults(coupons.history.results)
    expect(view.coupons.get('c')).toMatchObject({ stock: 2, remaining: 1, version: 4, name: null })
    const claim = (result: CouponResult | undefined) => view.claims.get(claimIdOf(result as CouponResult))
    expect(claim(a)).toEqual({
      claimId: claimIdOf(a as CouponResult),
      couponId: 'c',
      userId: 'a',
      status: 'issued',
      sequence: 1,
      slot: 1,
      decidedAt: 1000,
    })
    expect(claim(b)).toMatchObject({ status: 'cancelled', sequence: 2, cancelledAt: 1000 })
    expect(claim(c)).toMatchObject({ status: 'rejected', reason: 'sold-out' })
    expect(claim(again)).toMatchObject({ status: 'rejected', reason: 'limit-reached', sequences: [1] })
    expect(claim(repeat)).toBeUndefined()
    expect([...view.repeats]).toEqual([[claimIdOf(repeat as CouponResult), claimIdOf(a as CouponResult)]])
    expect([...view.users.keys()]).toEqual(['a'])
    expect([...(view.users.get('a')?.values() ?? [])]).toEqual([claim(a)])
  })

  it('sees rows that a store lacks, has too many of, or has wrong', () => {
    const names = { store: 'postgres', what: 'coupon' }
    const { coupons: expected } = foldResults(history.results)
    expect(checkRows(names, expected, new Map([['c', { remaining: 0, version: 3 }]]))).toEqual([])
    expect(checkRows(names, expected, new Map())).toMatchObject([
      { invariant: 7, message: 'postgres lacks coupon c' },
    ])
    expect(checkRows(names, expected, new Map([['c', { remaining: 1 }]]))).toHaveLength(1)
    const surplus = new Map([
      ['c', {}],
      ['d', {}],
    ])
    expect(checkRows(names, expected, surplus)).toMatchObject([
      { message: 'postgres has coupon d, which no result made' },
    ])
  })
})
