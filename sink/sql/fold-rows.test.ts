import { describe, expect, it } from 'vitest'
import { snapshot } from '../../domain/coupon/test-coupons.ts'
import { claimId, opened, result } from '../testing/results.ts'
import { foldRows } from './fold-rows.ts'

const options = { topicVersion: 1, rejectedSince: 0 }
const issued = (offset: number, sequence: number, change = {}) =>
  result({
    offset,
    outcome: 'issued',
    sequence,
    slot: 1,
    remaining: 10 - sequence,
    version: 1 + sequence,
    ...change,
  })

const back = (offset: number, of: number) =>
  result({
    offset,
    outcome: 'cancelled',
    command: 'cancel',
    claimId: claimId(of),
    sequence: 1,
    decidedAt: 3000,
  })
const refused = (offset: number, decidedAt: number) =>
  result({ offset, outcome: 'rejected', reason: 'sold-out', decidedAt })

describe('coupons', () => {
  it('carry the last version of the batch, whole when an operator changed them', () => {
    const changes = foldRows([opened(0), issued(1, 1), issued(2, 2, { userId: 'v' })], options)
    expect(changes.coupons).toEqual([snapshot({ remaining: 8, version: 3 })])
    expect(changes.levels).toEqual([])
  })

  it('carry only their stock when no operator did', () => {
    const changes = foldRows([issued(5, 4), issued(6, 5, { userId: 'v' })], options)
    expect(changes.coupons).toEqual([])
    expect(changes.levels).toEqual([{ couponId: 'c', remaining: 5, version: 6 }])
  })

  it('take the last of several snapshots', () => {
    const paused = snapshot({ paused: true, version: 2 })
    const changes = foldRows([opened(0), opened(1, paused)], options)
    expect(changes.coupons).toEqual([paused])
  })

  it('are left alone by results about coupons that are unknown', () => {
    const changes = foldRows([result({ offset: 0, outcome: 'rejected', reason: 'unknown-coupon' })], options)
    expect(changes).toMatchObject({ coupons: [], levels: [] })
  })
})

describe('claims', () => {
  it('become rows under the id of their place in line', () => {
    expect(foldRows([issued(7, 3)], options).issues).toEqual([
      {
        claimId: claimId(7),
        couponId: 'c',
        userId: 'u',
        sequence: 3,
        slot: 1,
        issuedAt: 2000,
        cancelledAt: null,
      },
    ])
  })

  it('given back in the same batch are one row; of an earlier batch, a change', () => {
    const changes = foldRows([issued(7, 3), back(8, 7), back(9, 2)], options)
    expect(changes.issues).toMatchObject([{ claimId: claimId(7), cancelledAt: 3000 }])
    expect(changes.cancellations).toEqual([{ claimId: claimId(2), cancelledAt: 3000 }])
  })

  it('that were refused are kept while they are within their retention', () => {
    const changes = foldRows([refused(1, 1999), refused(2, 2000)], { topicVersion: 1, rejectedSince: 2000 })
    expect(changes.rejections).toEqual([
      { claimId: claimId(2), couponId: 'c', userId: 'u', reason: 'sold-out', rejectedAt: 2000 },
    ])
  })

  it('leave out repeats, and commands that are no claims', () => {
    const first = { offset: 1, nonce: '0', outcome: 'issued', sequence: 1, decidedAt: 1 } as const
    const changes = foldRows(
      [
        result({ offset: 3, outcome: 'repeat', first }),
        result({ offset: 4, outcome: 'rejected', command: 'cancel', reason: 'not-issued' }),
        result({ offset: 5, outcome: 'rejected', command: 'open', reason: 'coupon-exists' }),
      ],
      options,
    )
    expect(changes).toEqual({ coupons: [], levels: [], cancellations: [], issues: [], rejections: [] })
  })

  it('without what they must have stop the sink', () => {
    const broken = result({ offset: 3, outcome: 'issued', slot: 1 })
    expect(() => foldRows([broken], options)).toThrow(
      expect.objectContaining({ code: 'SINK_RECORD_UNREADABLE' }),
    )
  })
})
