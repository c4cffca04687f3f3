/** Invariant 3: first come, first served, and numbered without a gap. */
import { decidedOf, follow, isEligible } from './history.ts'
import type { Opened, PartitionHistory, Violation } from './history.ts'

interface Given {
  /** The last sequence. */
  sequence: number
  held: number
  readonly byUser: Map<string, number>
}

/**
 * An eligible request wins exactly when its user is below the limit and a piece is left; sequences of all ever issued
 * are 1, 2, 3 … in offset order.
 */
export function checkWinners(history: PartitionHistory): Violation[] {
  const violations: Violation[] = []
  const coupons = new Map<string, Opened>()
  const gifts = new Map<string, Given>()
  for (const decided of decidedOf(history)) {
    const { offset, command, result } = decided
    const { couponId } = command
    const coupon = coupons.get(couponId)
    follow(coupons, decided)
    const given = gifts.get(couponId) ?? { sequence: 0, held: 0, byUser: new Map<string, number>() }
    gifts.set(couponId, given)
    const report = (message: string): void => {
      violations.push({ invariant: 3, message, partition: history.partition, offset, couponId })
    }
    if (result.outcome === 'cancelled') {
      given.held -= 1
      given.byUser.set(result.userId, (given.byUser.get(result.userId) ?? 0) - 1)
    }
    if (command.command !== 'issue') {
      if (result.outcome === 'issued') report(`a ${command.command} command was issued a piece`)
      continue
    }
    const own = given.byUser.get(command.userId) ?? 0
    const wins = isEligible(coupon, decided) && own < coupon.terms.perUserLimit && given.held < coupon.stock
    const won = result.outcome === 'issued'
    if (wins && !won) report(`user ${command.userId} came in time for a piece but was told ${result.reason}`)
    if (!wins && won) report(`user ${command.userId} got a piece that was not for this request`)
    if (!won) continue
    if (result.sequence !== given.sequence + 1) {
      report(`sequence ${result.sequence} follows ${given.sequence}`)
    }
    given.sequence = result.sequence ?? given.sequence + 1
    given.held += 1
    given.byUser.set(command.userId, own + 1)
  }
  return violations
}
