/** Invariant 7: what results add up to is what Postgres and Redis hold. */
import { isDeepStrictEqual } from 'node:util'
import { formatClaimId } from '../claim-id.ts'
import type { CouponResult, CouponSnapshot, RejectReason } from '../messages.ts'
import type { Violation } from './history.ts'

export interface ClaimView {
  readonly claimId: string
  readonly couponId: string
  readonly userId: string
  readonly status: 'issued' | 'rejected' | 'cancelled'
  readonly reason?: RejectReason
  readonly sequence?: number
  readonly slot?: number
  readonly sequences?: readonly number[]
  readonly decidedAt: number
  readonly cancelledAt?: number
}

export interface ResultsView {
  /** By coupon id, with the latest `remaining` and `version`. */
  readonly coupons: ReadonlyMap<string, CouponSnapshot>
  /** By claim id: every claim but the repeats. */
  readonly claims: ReadonlyMap<string, ClaimView>
  /** Claim id of a repeat → claim id of the first under its Idempotency-Key. */
  readonly repeats: ReadonlyMap<string, string>
  /** User id → claim id → the claims held now, in the order in which they were issued. */
  readonly users: ReadonlyMap<string, ReadonlyMap<string, ClaimView>>
}

/** Results of one partition in order, or of several, one after the other or mixed. */
export function foldResults(results: Iterable<CouponResult>, topicVersion = 1): ResultsView {
  const coupons = new Map<string, CouponSnapshot>()
  const claims = new Map<string, ClaimView>()
  const repeats = new Map<string, string>()
  const users = new Map<string, Map<string, ClaimView>>()
  for (const result of results) {
    foldCoupon(coupons, result)
    if (result.command === 'issue') {
      const { partition, nonce, offset, first } = result
      const claimId = formatClaimId({ nonce, version: topicVersion, partition, offset })
      if (first !== undefined) {
        const { nonce: firstNonce, offset: firstOffset } = first
        const place = { nonce: firstNonce, version: topicVersion, partition, offset: firstOffset }
        repeats.set(claimId, formatClaimId(place))
        continue
      }
      const claim = claimOf(claimId, result)
      claims.set(claimId, claim)
      if (claim.status === 'issued') heldBy(users, result.userId).set(claimId, claim)
    }
    if (result.outcome === 'cancelled' && result.claimId !== undefined) {
      const claim = claims.get(result.claimId)
      heldBy(users, result.userId).delete(result.claimId)
      if (claim === undefined) continue
      claims.set(result.claimId, { ...claim, status: 'cancelled', cancelledAt: result.decidedAt })
    }
  }
  for (const [userId, held] of users) if (held.size === 0) users.delete(userId)
  return { coupons, claims, repeats, users }
}

function foldCoupon(coupons: Map<string, CouponSnapshot>, result: CouponResult): void {
  const { couponId, remaining, version } = result
  const coupon = result.coupon ?? coupons.get(couponId)
  if (coupon === undefined || remaining === undefined || version === undefined) return
  coupons.set(couponId, { ...coupon, remaining, version })
}

function claimOf(claimId: string, result: CouponResult): ClaimView {
  const { couponId, userId, decidedAt, outcome, reason, sequence, slot, sequences } = result
  return {
    claimId,
    couponId,
    userId,
    status: outcome === 'issued' ? 'issued' : 'rejected',
    ...(reason === undefined ? {} : { reason }),
    ...(sequence === undefined ? {} : { sequence }),
    ...(slot === undefined ? {} : { slot }),
    ...(sequences === undefined ? {} : { sequences }),
    decidedAt,
  }
}

function heldBy(users: Map<string, Map<string, ClaimView>>, userId: string): Map<string, ClaimView> {
  const held = users.get(userId) ?? new Map<string, ClaimView>()
  users.set(userId, held)
  return held
}

/**
 * Whether a store's rows are the expected ones: the same keys, and every member that a row has equals the member of
 * that name in the expected one. `store` and `what` name them in messages: `postgres`, `coupon`.
 */
export function checkRows(
  names: { readonly store: string; readonly what: string },
  expected: ReadonlyMap<string, object>,
  actual: ReadonlyMap<string, object>,
): Violation[] {
  const { store, what } = names
  const violations: Violation[] = []
  const report = (message: string): void => void violations.push({ invariant: 7, message })
  for (const key of expected.keys()) if (!actual.has(key)) report(`${store} lacks ${what} ${key}`)
  for (const [key, row] of actual) {
    const truth = expected.get(key) as Readonly<Record<string, unknown>> | undefined
    if (truth === undefined) {
      report(`${store} has ${what} ${key}, which no result made`)
      continue
    }
    for (const [member, value] of Object.entries(row)) {
      if (isDeepStrictEqual(value, truth[member])) continue
      const found = `${JSON.stringify(value)} instead of ${JSON.stringify(truth[member])}`
      report(`${store} has ${member} ${found} in ${what} ${key}`)
    }
  }
  return violations
}
