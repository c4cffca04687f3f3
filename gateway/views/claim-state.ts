/** What a claim is to its client, from the views. */
import { formatClaimId, parseClaimId } from '#domain/coupon'
import type { ClaimPosition, CouponResult, FirstOutcome, RejectReason } from '#domain/coupon'
import type { ResultView } from './result-view.ts'

/** `status` pending, issued, rejected or cancelled; times in milliseconds. */
export interface ClaimState {
  readonly claimId: string
  readonly couponId: string
  readonly userId: string
  readonly status: 'pending' | 'issued' | 'rejected' | 'cancelled'
  readonly reason?: RejectReason
  readonly sequence?: number
  readonly sequences?: readonly number[]
  /** How many commands are decided before it; while pending. */
  readonly ahead?: number
  readonly decidedAt?: number
}

/** A decided claim. A repeat has the outcome of the first claim under its key. */
export function decidedClaim(result: CouponResult, claimId: string, results: ResultView): ClaimState {
  const { couponId, userId, sequences } = result
  const decision: FirstOutcome | CouponResult = result.first ?? result
  const { outcome, reason, sequence, decidedAt } = decision
  const common = { claimId, couponId, userId }
  if (outcome !== 'issued') {
    return {
      ...common,
      status: 'rejected',
      reason: reason ?? 'internal-error',
      ...(sequences === undefined ? {} : { sequences }),
      decidedAt,
    }
  }
  return {
    ...common,
    status: results.isCancelled(result.partition, decision.offset) ? 'cancelled' : 'issued',
    ...(sequence === undefined ? {} : { sequence }),
    decidedAt,
  }
}

/** The id of the claim that holds the piece: the first one's for a repeat. */
export function heldClaimId(result: CouponResult, claimId: string): string {
  const claim = parseClaimId(claimId)
  if (result.first === undefined || claim === undefined) return claimId
  const held: ClaimPosition = { ...claim, nonce: result.first.nonce, offset: result.first.offset }
  return formatClaimId(held)
}
