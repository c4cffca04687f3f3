/** Builders and arbitraries that the tests of this room share. */
import * as fc from 'fast-check'
import type {
  CommandName,
  CouponCommand,
  CouponResult,
  CouponSnapshot,
  CouponStatus,
  Discount,
  FirstOutcome,
  OpeningTerms,
  Outcome,
} from './messages.ts'

/** The same inputs in every run; the simulation is where seeds vary. */
fc.configureGlobal({ seed: 20_261_121 })

/** A nonce that tells its number. */
export function nonceOf(number: number): string {
  return number.toString(16).padStart(16, '0')
}

const idArbitrary = fc
  .string({ unit: fc.constantFrom('a', 'Z', '0', '9', '.', '_', '~', ':', '-'), minLength: 1, maxLength: 20 })
  .filter((id) => id !== '.' && id !== '..')

export const nonceArbitrary = fc.nat().map(nonceOf)

const nameArbitrary = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 30 })
  .filter((name) => name.isWellFormed() && !name.includes('\0'))

const discountArbitrary: fc.Arbitrary<Discount> = fc.oneof(
  fc.record({ percent: fc.double({ min: 0, max: 100, noNaN: true }).map((value) => value + 0) }),
  fc.record({ amount: fc.nat(), currency: fc.constantFrom('EUR', 'KRW', 'USD') }),
)

export const termsArbitrary: fc.Arbitrary<OpeningTerms> = fc.record({
  stock: fc.integer({ min: 0, max: 1e12 }),
  name: fc.option(nameArbitrary),
  perUserLimit: fc.integer({ min: 1, max: 1000 }),
  startsAt: fc.option(fc.integer({ min: -1e12, max: 1e12 })),
  endsAt: fc.option(fc.integer({ min: 1e12 + 1, max: 3e12 })),
  discount: fc.option(discountArbitrary),
  validUntil: fc.option(fc.integer({ min: 0, max: 3e12 })),
})

const base = {
  couponId: idArbitrary,
  by: fc.string({ minLength: 1, maxLength: 20 }),
  nonce: nonceArbitrary,
}

const keylessArbitrary: fc.Arbitrary<CouponCommand> = fc.oneof(
  fc.record({ command: fc.constant('issue' as const), userId: idArbitrary, ...base }),
  fc.record({ command: fc.constant('cancel' as const), userId: idArbitrary, claimId: idArbitrary, ...base }),
  fc.record({ command: fc.constant('open' as const), terms: termsArbitrary, ...base }),
  fc.record({ command: fc.constant('restock' as const), add: fc.integer({ min: 1, max: 1e12 }), ...base }),
  fc.record({ command: fc.constantFrom('pause' as const, 'resume' as const, 'close' as const), ...base }),
)

export const commandArbitrary: fc.Arbitrary<CouponCommand> = fc
  .tuple(keylessArbitrary, fc.option(idArbitrary))
  .map(keyed)

function keyed([command, idempotencyKey]: [CouponCommand, string | null]): CouponCommand {
  return idempotencyKey === null ? command : { ...command, idempotencyKey }
}

const snapshotArbitrary: fc.Arbitrary<CouponSnapshot> = fc
  .record({
    terms: termsArbitrary,
    couponId: idArbitrary,
    remaining: fc.nat(),
    paused: fc.boolean(),
    closed: fc.boolean(),
    openedAt: fc.nat(),
    version: fc.nat(),
  })
  .map(flattened)

function flattened(parts: CouponRest & { readonly terms: OpeningTerms }): CouponSnapshot {
  const { terms: opening, ...rest } = parts
  return { ...opening, ...rest }
}

type CouponRest = Omit<CouponSnapshot, keyof OpeningTerms>

const reasonArbitrary = fc.constantFrom(
  'unknown-coupon' as const,
  'coupon-exists' as const,
  'limit-reached' as const,
  'sold-out' as const,
  'idempotency-key-reused' as const,
)

export const firstArbitrary: fc.Arbitrary<FirstOutcome> = fc.record(
  {
    offset: fc.nat(),
    nonce: nonceArbitrary,
    outcome: fc.constantFrom('issued' as const, 'cancelled' as const, 'done' as const, 'rejected' as const),
    reason: reasonArbitrary,
    sequence: fc.integer({ min: 1 }),
    decidedAt: fc.nat(),
  },
  { requiredKeys: ['offset', 'nonce', 'outcome', 'decidedAt'] },
)

const safe = fc.maxSafeNat()

/** Any combination of members, also such as no command leads to. */
export const resultArbitrary: fc.Arbitrary<CouponResult> = fc.record(
  {
    partition: fc.nat(),
    offset: safe,
    nonce: nonceArbitrary,
    command: fc.constantFrom<CommandName[]>('issue', 'cancel', 'open', 'restock', 'pause', 'resume', 'close'),
    outcome: fc.constantFrom<Outcome[]>('issued', 'cancelled', 'done', 'unchanged', 'rejected', 'repeat'),
    couponId: idArbitrary,
    userId: fc.oneof(idArbitrary, fc.string({ unit: 'binary' })),
    reason: reasonArbitrary,
    sequence: safe,
    slot: fc.nat(),
    sequences: fc.array(safe, { maxLength: 4 }),
    claimId: idArbitrary,
    idempotencyKey: idArbitrary,
    first: firstArbitrary,
    decidedAt: safe,
    remaining: fc.nat(),
    version: fc.nat(),
    coupon: snapshotArbitrary,
  },
  { requiredKeys: ['partition', 'offset', 'nonce', 'command', 'outcome', 'couponId', 'userId', 'decidedAt'] },
)

export const statusArbitrary: fc.Arbitrary<CouponStatus> = fc
  .tuple(snapshotArbitrary, fc.nat(), fc.nat())
  .map(placed)

function placed([coupon, partition, offset]: [CouponSnapshot, number, number]): CouponStatus {
  return { ...coupon, partition, offset }
}
