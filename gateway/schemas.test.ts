import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { HttpProblem } from './http/problem.ts'
import type { RequestFault } from './http/problem.ts'
import { claimingUserOf, openingOf, restockOf } from './schemas.ts'

function faultsOf(read: (body: unknown) => unknown, body: unknown): readonly RequestFault[] {
  try {
    read(body)
    return []
  } catch (error) {
    if (!(error instanceof HttpProblem)) throw error
    return error.details.members?.['errors'] as readonly RequestFault[]
  }
}

const coupon = { couponId: 'c', stock: 1 }
const integer = 'must be an integer from 0 to 1000000000000'
const discount = expect.stringMatching(/^must be \{"percent"/)

it.each([
  [openingOf, [], '', 'must be a JSON object'],
  [openingOf, null, '', 'must be a JSON object'],
  [restockOf, 'five', '', 'must be a JSON object'],
  [claimingUserOf, [], '', 'must be a JSON object'],
  [claimingUserOf, 7, '', 'must be a JSON object'],
  [openingOf, { couponId: 'c' }, 'stock', integer],
  [openingOf, { ...coupon, stock: 1e13 }, 'stock', integer],
  [openingOf, { ...coupon, discount: 5 }, 'discount', discount],
  [
    openingOf,
    { ...coupon, discount: { percent: 101 } },
    'discount.percent',
    'must be a number from 0 to 100',
  ],
  [openingOf, { ...coupon, discount: { percent: -1 } }, 'discount.percent', 'must be a number from 0 to 100'],
  [openingOf, { ...coupon, discount: { percent: '5' } }, 'discount', discount],
  [
    openingOf,
    { ...coupon, discount: { amount: 5, currency: 'won' } },
    'discount.currency',
    'must be three capital letters',
  ],
  [openingOf, { ...coupon, discount: { percent: 5, x: 1 } }, 'discount.x', 'is not known here'],
])('%o of %j is told in our own words', (read, body, path, detail) => {
  expect(faultsOf(read, body)).toEqual([{ path, detail }])
})

it('says nothing in the words of the library, whatever is sent', () => {
  const member = fc.oneof(fc.constantFrom(undefined, 1, 5, '2026-01-01T00:00:00Z', 'c'), fc.jsonValue())
  const terms = fc.record(
    {
      couponId: member,
      stock: member,
      name: member,
      perUserLimit: member,
      startsAt: member,
      endsAt: member,
      discount: fc.oneof(member, fc.record({ percent: member, amount: member, currency: member })),
      validUntil: member,
    },
    { requiredKeys: [] },
  )
  const body = fc.oneof(fc.jsonValue(), terms, fc.record({ add: member }), fc.record({ userId: member }))
  fc.assert(
    fc.property(body, (value) => {
      for (const read of [openingOf, restockOf, claimingUserOf]) {
        for (const { detail } of faultsOf(read, value)) expect(detail).toMatch(/^(must be|is not known here)/)
      }
    }),
    { numRuns: 2000, seed: 7 },
  )
})
