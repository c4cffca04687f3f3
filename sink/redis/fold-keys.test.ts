import { expect, it } from 'vitest'
import { snapshot } from '../../domain/coupon/test-coupons.ts'
import { claimId, opened, result } from '../testing/results.ts'
import { foldKeys } from './fold-keys.ts'
import { scriptBatch } from './redis-store.ts'

const options = { topicVersion: 1, decidedSince: 0 }
const issued = result({ offset: 1, outcome: 'issued', sequence: 1, slot: 1, remaining: 9, version: 2 })
const cancelled = result({
  offset: 2,
  outcome: 'cancelled',
  command: 'cancel',
  claimId: claimId(1),
  sequence: 1,
  remaining: 10,
  version: 3,
  decidedAt: 3000,
})

it('says what became of a claim, with the version of its coupon', () => {
  const rejected = result({
    offset: 5,
    outcome: 'rejected',
    reason: 'limit-reached',
    sequences: [1],
    version: 2,
  })
  expect(foldKeys([issued, rejected], options).claims).toEqual([
    {
      claimId: claimId(1),
      couponId: 'c',
      userId: 'u',
      status: 'issued',
      sequence: 1,
      decidedAt: 2000,
      version: 2,
    },
    {
      claimId: claimId(5),
      couponId: 'c',
      userId: 'u',
      status: 'rejected',
      reason: 'limit-reached',
      sequences: [1],
      decidedAt: 2000,
      version: 2,
    },
  ])
})

it('keeps a cancelled coupon of a user as cancelled', () => {
  const { claims, held } = foldKeys([issued, cancelled], options)
  expect(claims).toMatchObject([{ claimId: claimId(1), status: 'cancelled', version: 3 }])
  expect(held).toEqual([
    {
      userId: 'u',
      view: {
        couponId: 'c',
        sequence: 1,
        status: 'cancelled',
        claimId: claimId(1),
        decidedAt: 3000,
        version: 3,
      },
    },
  ])
})

it('answers a repeat with the first outcome under its key', () => {
  const first = { offset: 1, nonce: issued.nonce, outcome: 'issued', sequence: 1, decidedAt: 2000 } as const
  const repeat = result({ offset: 7, outcome: 'repeat', first, version: 2, decidedAt: 9000 })
  const { claims, held } = foldKeys([repeat], options)
  expect(claims).toMatchObject([
    { claimId: claimId(7), status: 'issued', sequence: 1, first: claimId(1), decidedAt: 2000 },
  ])
  expect(held).toEqual([])
})

it('leaves out claims past their retention, but not the coupons that users hold', () => {
  const { claims, held } = foldKeys([issued], { ...options, decidedSince: 2001 })
  expect(claims).toEqual([])
  expect(held).toHaveLength(1)
})

it('knows no claim of an operator', () => {
  const refused = result({ offset: 1, outcome: 'rejected', command: 'open', reason: 'coupon-exists' })
  expect(foldKeys([opened(0), refused], options).claims).toEqual([])
})

it('hands numbers over as text, and nulls not at all', () => {
  const coupon = snapshot({ stock: 1e12, remaining: 1e12 - 1, discount: { percent: 5 } })
  const changes = foldKeys([opened(0, coupon), issued], options)
  const batch = { steps: [{ partition: 0, from: 0, to: 2 }], results: [] }
  const { steps, coupons, claims } = scriptBatch(batch, changes, 500)
  expect(steps).toEqual([['0', '0', '2']])
  const [id, version, fields] = coupons[0] ?? []
  expect([id, version]).toEqual(['c', '2'])
  expect(fields).toEqual(expect.arrayContaining(['stock', '1000000000000', 'discount', '{"percent":5}']))
  expect(fields).not.toContain('startsAt')
  expect(claims[0]?.slice(0, 3)).toEqual([claimId(1), '2', '1500'])
})
