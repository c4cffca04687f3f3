/** Results folded into the keys they change: pure. */
import type { CouponResult, CouponSnapshot, Outcome } from '#domain/coupon'
import { CouponFold, claimIdOf, required } from '../results.ts'
import type { StockLevel } from '../results.ts'

/** What `claim:{claimId}` holds, as JSON. Times in ms since the epoch. */
export interface ClaimView {
  readonly claimId: string
  readonly couponId: string
  readonly userId: string
  readonly status: 'issued' | 'rejected' | 'cancelled'
  readonly reason?: string
  readonly sequence?: number
  readonly sequences?: readonly number[]
  /** Under a repeated Idempotency-Key: the claim whose outcome this is. */
  readonly first?: string
  readonly decidedAt: number
  /** The coupon's version that this is of; 0 where the coupon is unknown. */
  readonly version: number
}

/** A field of `user:{userId}:coupons`, as JSON. A cancelled one stays, so that nothing older brings it back. */
export interface HeldView {
  readonly couponId: string
  readonly sequence: number
  readonly status: 'issued' | 'cancelled'
  readonly claimId: string
  readonly decidedAt: number
  readonly version: number
}

interface HeldEntry {
  readonly userId: string
  readonly view: HeldView
}

export interface KeyChanges {
  readonly coupons: readonly CouponSnapshot[]
  readonly levels: readonly StockLevel[]
  readonly claims: readonly ClaimView[]
  readonly held: readonly HeldEntry[]
}

export interface KeyFoldOptions {
  /** Version of the topics, a part of every claim id. */
  readonly topicVersion: number
  /** Decisions before this instant (ms) are past their retention and leave no claim. */
  readonly decidedSince: number
}

/** @param results in log order per coupon */
export function foldKeys(results: readonly CouponResult[], options: KeyFoldOptions): KeyChanges {
  const coupons = new CouponFold()
  const claims = new Map<string, ClaimView>()
  const held = new Map<string, HeldEntry>()
  for (const result of results) {
    coupons.add(result)
    const claim = claimOf(result, options.topicVersion)
    if (claim === undefined) continue
    if (result.decidedAt >= options.decidedSince) claims.set(claim.claimId, claim)
    if (result.outcome !== 'issued' && result.outcome !== 'cancelled') continue
    const { couponId, userId, decidedAt } = result
    const sequence = required(result, 'sequence')
    const { claimId, version } = claim
    const view = { couponId, sequence, status: result.outcome, claimId, decidedAt, version }
    held.set(`${couponId}/${sequence}`, { userId, view })
  }
  return {
    coupons: coupons.coupons(),
    levels: coupons.levels(),
    claims: [...claims.values()],
    held: [...held.values()],
  }
}

/** What a result says about a claim; undefined for operators' commands and for cancels that changed nothing. */
function claimOf(result: CouponResult, topicVersion: number): ClaimView | undefined {
  const { couponId, userId, decidedAt, command, outcome, first, reason, sequence, sequences } = result
  const version = result.version ?? 0
  const claimId = outcome === 'cancelled' ? required(result, 'claimId') : claimIdOf(result, topicVersion)
  if (outcome !== 'cancelled' && command !== 'issue') return undefined
  if (outcome === 'repeat' && first !== undefined) {
    const status = claimStatus(first.outcome)
    if (status === undefined) return undefined
    return {
      claimId,
      couponId,
      userId,
      status,
      ...(first.reason === undefined ? {} : { reason: first.reason }),
      ...(first.sequence === undefined ? {} : { sequence: first.sequence }),
      first: claimIdOf({ ...first, partition: result.partition }, topicVersion),
      decidedAt: first.decidedAt,
      version,
    }
  }
  const status = claimStatus(outcome)
  if (status === undefined) return undefined
  return {
    claimId,
    couponId,
    userId,
    status,
    ...(reason === undefined ? {} : { reason }),
    ...(sequence === undefined ? {} : { sequence }),
    ...(sequences === undefined ? {} : { sequences }),
    decidedAt,
    version,
  }
}

function claimStatus(outcome: Outcome): ClaimView['status'] | undefined {
  return outcome === 'issued' || outcome === 'rejected' || outcome === 'cancelled' ? outcome : undefined
}
