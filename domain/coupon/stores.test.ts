import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { decode, encode } from '#topology'
import type { Serde } from '#topology'
import { couponStateSerde, holdingsSerde } from './coupon-state.ts'
import { rememberedSerde } from './idempotency.ts'
import { nonceArbitrary, firstArbitrary, termsArbitrary } from './test-data.ts'

function expectRoundTrip<T>(serde: Serde<T>, values: fc.Arbitrary<T>): void {
  fc.assert(
    fc.property(values, (value) => {
      const bytes = encode(serde, value)
      expect(decode(serde, bytes)).toEqual(value)
      expect(encode(serde, decode(serde, bytes))).toEqual(bytes)
    }),
  )
}

it('keeps coupons as they are', () => {
  const count = fc.integer({ min: 0, max: 1e12 })
  const coupons = fc.record({
    terms: termsArbitrary,
    stock: count,
    held: count,
    sequence: fc.maxSafeNat(),
    paused: fc.boolean(),
    closed: fc.boolean(),
    openedAt: fc.integer({ min: -1e13, max: 1e13 }),
    version: fc.maxSafeNat(),
  })
  expectRoundTrip(couponStateSerde, coupons)
})

it('keeps the pieces of users as they are', () => {
  const holding = fc.record({
    sequence: fc.maxSafeNat(),
    slot: fc.integer({ min: 1, max: 1000 }),
    nonce: nonceArbitrary,
    topicVersion: fc.integer({ min: 1, max: 1000 }),
    partition: fc.nat(),
    offset: fc.maxSafeNat(),
  })
  expectRoundTrip(holdingsSerde, fc.array(holding, { maxLength: 5 }))
})

it('keeps remembered keys as they are', () => {
  expectRoundTrip(rememberedSerde, fc.record({ fingerprint: fc.string(), first: firstArbitrary }))
})
