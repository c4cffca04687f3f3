/** The result record of a decision. */
import { remainingOf, snapshotOf } from './coupon-state.ts'
import type { CouponCommand, CouponResult } from './messages.ts'
import { userOf } from './rules.ts'
import type { Decision } from './rules.ts'

export interface DecisionPlace {
  readonly partition: number
  readonly offset: number
  /** Stream time. */
  readonly now: number
}

type Draft = { -readonly [Member in keyof CouponResult]: CouponResult[Member] }

export function resultOf(command: CouponCommand, decision: Decision, place: DecisionPlace): CouponResult {
  const result = draftOf(command, decision.outcome, place)
  const { reason, sequence, slot, sequences, claimId, first, coupon } = decision
  if (reason !== undefined) result.reason = reason
  if (sequence !== undefined) result.sequence = sequence
  if (slot !== undefined) result.slot = slot
  if (sequences !== undefined) result.sequences = sequences
  if (claimId !== undefined) result.claimId = claimId
  if (first !== undefined) result.first = first
  if (coupon !== undefined) {
    result.remaining = remainingOf(coupon)
    result.version = coupon.version
    if (decision.snapshot === true) result.coupon = snapshotOf(command.couponId, coupon)
  }
  return result
}

/** The answer to a command that could not be processed; it has changed nothing. */
export function failureOf(command: CouponCommand, place: DecisionPlace): CouponResult {
  const result = draftOf(command, 'rejected', place)
  result.reason = 'internal-error'
  return result
}

function draftOf(command: CouponCommand, outcome: CouponResult['outcome'], place: DecisionPlace): Draft {
  const { couponId, nonce, idempotencyKey } = command
  const { partition, offset, now } = place
  const userId = userOf(command)
  const draft = {
    partition,
    offset,
    nonce,
    command: command.command,
    outcome,
    couponId,
    userId,
    decidedAt: now,
  }
  return idempotencyKey === undefined ? draft : { ...draft, idempotencyKey }
}
