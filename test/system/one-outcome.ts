/** One outcome for one request, however often it was sent: by its client, or by the gateway to the log. */
import { parseClaimId } from '#domain/coupon'
import type { CouponResult, PartitionHistory, Violation } from '#domain/coupon'
import type { ClaimAnswer } from './load.ts'

/** Invariant 9: under one Idempotency-Key there is one outcome, however often it was asked for. */
export function checkKeys(results: readonly CouponResult[]): Violation[] {
  const violations: Violation[] = []
  const firsts = new Map<string, string>()
  for (const { couponId, idempotencyKey, nonce, first, partition } of results) {
    if (idempotencyKey === undefined) continue
    const name = `${couponId}/${idempotencyKey}`
    const claim = first?.nonce ?? nonce
    const known = firsts.get(name)
    if (known === undefined) firsts.set(name, claim)
    else if (claim !== known)
      violations.push({
        invariant: 9,
        message: `${name} has the outcomes of ${known} and ${claim}`,
        partition,
      })
  }
  return violations
}

/** Every request is one record: an append that is repeated after a fault is known by its sequence. */
export function checkNonces(histories: readonly PartitionHistory[]): Violation[] {
  const seen = new Set<string>()
  const violations: Violation[] = []
  for (const { partition, commands } of histories) {
    for (const { offset, command } of commands) {
      if (command === undefined) continue
      if (seen.has(command.nonce))
        violations.push({ invariant: 4, message: `${command.nonce} was appended twice`, partition, offset })
      seen.add(command.nonce)
    }
  }
  return violations
}

/** What a client was told of a decision is what was decided. */
export function checkAnswers(answers: readonly ClaimAnswer[], results: readonly CouponResult[]): Violation[] {
  const outcomes = new Map(results.map(({ nonce, outcome, first }) => [nonce, first?.outcome ?? outcome]))
  return answers.flatMap(({ claimId, status }) => {
    const outcome = outcomes.get(parseClaimId(claimId)?.nonce ?? '')
    if (status === 'pending' || status === outcome) return []
    return [{ invariant: 4, message: `${claimId} was answered as ${status}, and is ${outcome}` }]
  })
}
