/** Random commands: the topology against the model and every invariant, and against itself by replay. */
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { checkRows, checkSameBytes, foldResults } from './invariants.ts'
import type { OpeningTerms } from './messages.ts'
import { terms } from './test-coupons.ts'
import { CouponHarness, claimIdOf } from './test-harness.ts'
import type { Ask } from './test-harness.ts'

const retention = { idempotencyRetentionMs: 40 }

/** Few of everything, so that commands meet; times on one grid, so that limits are hit exactly. */
const couponId = fc.constantFrom('c', 'd')
const userId = fc.constantFrom('a', 'b', 'e')
const idempotencyKey = fc.constantFrom('k', 'l', 'm')

const opening: fc.Arbitrary<OpeningTerms> = fc
  .record({
    stock: fc.nat(4),
    perUserLimit: fc.integer({ min: 1, max: 3 }),
    startsAt: fc.option(fc.constantFrom(1010, 1020, 1040), { freq: 2 }),
    endsAt: fc.option(fc.constantFrom(1060, 1100, 1200), { freq: 2 }),
  })
  .map(terms)

/** What coupon `c` is opened with. */
const first = terms({ stock: 3, perUserLimit: 2 })

type Step =
  | { readonly ask: Ask }
  /** Cancel what the n-th result before last was about. */
  | { readonly cancel: number; readonly by: string | undefined; readonly key: string | undefined }
  | { readonly wait: number }
  | { readonly spoilt: 'bytes' | 'key' }

const operator: { requiredKeys: ['command', 'couponId'] } = { requiredKeys: ['command', 'couponId'] }
const ask: fc.Arbitrary<Ask> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record(
      { command: fc.constant('issue' as const), couponId, userId, idempotencyKey },
      { requiredKeys: ['command', 'couponId', 'userId'] },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.record(
      {
        command: fc.constant('open' as const),
        couponId,
        terms: fc.oneof(opening, fc.constant(first)),
        idempotencyKey,
      },
      { requiredKeys: ['command', 'couponId', 'terms'] },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.record(
      {
        command: fc.constant('restock' as const),
        couponId,
        add: fc.constantFrom(1, 2, 1e12 - 3),
        by: userId,
        idempotencyKey,
      },
      { requiredKeys: ['command', 'couponId', 'add'] },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.record(
      { command: fc.constantFrom('pause' as const, 'resume' as const), couponId, idempotencyKey },
      operator,
    ),
  },
)
const close: fc.Arbitrary<Ask> = fc.record(
  { command: fc.constant('close' as const), couponId, idempotencyKey },
  operator,
)

function sometimes(value: fc.Arbitrary<string>, freq: number): fc.Arbitrary<string | undefined> {
  return fc.option(value, { nil: undefined, freq })
}

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: fc.record({ ask }) },
  { weight: 1, arbitrary: fc.record({ ask: close }) },
  {
    weight: 5,
    arbitrary: fc.record({ cancel: fc.nat(5), by: sometimes(userId, 4), key: sometimes(idempotencyKey, 2) }),
  },
  { weight: 4, arbitrary: fc.record({ wait: fc.constantFrom(-5, 5, 10, 20) }) },
  { weight: 1, arbitrary: fc.record({ spoilt: fc.constantFrom('bytes' as const, 'key' as const) }) },
)

function run(steps: readonly Step[]): CouponHarness {
  const coupons = new CouponHarness(retention)
  coupons.open(first)
  for (const each of steps) {
    if ('ask' in each) coupons.ask(each.ask)
    if ('wait' in each) coupons.now += each.wait
    if ('spoilt' in each && each.spoilt === 'bytes') coupons.appendBytes('c', '{}')
    if ('spoilt' in each && each.spoilt === 'key') coupons.ask({ command: 'issue', userId: 'a' }, 'wrong')
    if ('cancel' in each) {
      const target = coupons.history.results.at(-1 - each.cancel)
      if (target === undefined) continue
      const user = each.by ?? target.userId
      const key = each.key === undefined ? {} : { idempotencyKey: each.key }
      const claimId = target.claimId ?? claimIdOf(target)
      coupons.ask({ command: 'cancel', couponId: target.couponId, userId: user, claimId, ...key })
    }
  }
  return coupons
}

const script = fc.array(step, { minLength: 30, maxLength: 120, size: 'max' })

/** Every answer that there is must have come up, or the agreement says little. */
const answers = [
  'cancel cancelled',
  'cancel not-issued',
  'cancel repeat',
  'close done',
  'close unchanged',
  'issue closed',
  'issue ended',
  'issue idempotency-key-reused',
  'issue internal-error',
  'issue issued',
  'issue limit-reached',
  'issue not-started',
  'issue paused',
  'issue repeat',
  'issue sold-out',
  'issue unknown-coupon',
  'open coupon-exists',
  'open done',
  'open unchanged',
  'pause closed',
  'pause done',
  'pause unchanged',
  'restock closed',
  'restock done',
  'restock stock-limit',
  'resume done',
  'resume unchanged',
]

it('agrees with the model and holds every invariant, whatever is asked', () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(script, (steps) => {
      const coupons = run(steps)
      expect(coupons.violations()).toEqual([])
      const { results } = coupons.history
      const view = foldResults(results)
      const latest = new Map(
        coupons.statuses.map(({ couponId: id, stock, paused, closed }) => [id, { stock, paused, closed }]),
      )
      expect(checkRows({ store: 'coupon-status', what: 'coupon' }, view.coupons, latest)).toEqual([])
      for (const { command, outcome, reason } of results) seen.add(`${command} ${reason ?? outcome}`)
    }),
    { numRuns: 200 },
  )
  expect(answers.filter((answer) => !seen.has(answer))).toEqual([])
})

it('gives the same bytes again', () => {
  fc.assert(
    fc.property(script, (steps) => {
      const [one, other] = [run(steps), run(steps)]
      expect(checkSameBytes(one.resultRecords, other.resultRecords)).toEqual([])
      expect(checkSameBytes(one.statusRecords, other.statusRecords)).toEqual([])
    }),
    { numRuns: 50 },
  )
})
