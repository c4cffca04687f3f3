/** Invariant 1: never more pieces out than stock, and none kept back from those who could have one. */
import { decidedOf, follow, isEligible } from './history.ts'
import type { Opened, PartitionHistory, Violation } from './history.ts'

/** issued - cancelled <= stock after every record; stock never falls, so only claims can break it. */
export function checkStock(history: PartitionHistory): Violation[] {
  const violations: Violation[] = []
  const coupons = new Map<string, Opened>()
  const held = new Map<string, number>()
  for (const decided of decidedOf(history)) {
    const { offset, command, result } = decided
    const { couponId } = command
    follow(coupons, decided)
    if (result.outcome !== 'issued' && result.outcome !== 'cancelled') continue
    const out = (held.get(couponId) ?? 0) + (result.outcome === 'issued' ? 1 : -1)
    held.set(couponId, out)
    const stock = coupons.get(couponId)?.stock ?? 0
    if (out > stock || out < 0) {
      const message = `${out} pieces of coupon ${couponId} are out of a stock of ${stock}`
      violations.push({ invariant: 1, message, partition: history.partition, offset, couponId })
    }
  }
  return violations
}

interface Demand {
  issued: number
  comparable: boolean
  soldOut: boolean
  readonly eligible: Map<string, number>
}

/**
 * With every command decided: issued = min(stock, Σ over users of min(limit, eligible requests)). Coupons with a
 * cancellation, or restocked after they had sent somebody away, are left out: there the order matters, see
 * `checkWinners`.
 */
export function checkStockAtRest(history: PartitionHistory): Violation[] {
  const coupons = new Map<string, Opened>()
  const demands = new Map<string, Demand>()
  for (const decided of decidedOf(history)) {
    const { command, result } = decided
    const { couponId } = command
    follow(coupons, decided)
    const demand = demands.get(couponId) ?? {
      issued: 0,
      comparable: true,
      soldOut: false,
      eligible: new Map(),
    }
    demands.set(couponId, demand)
    if (result.outcome === 'cancelled') demand.comparable = false
    if (command.command === 'restock' && result.outcome === 'done' && demand.soldOut)
      demand.comparable = false
    if (command.command !== 'issue') continue
    if (result.outcome === 'issued') demand.issued += 1
    if (result.reason === 'sold-out') demand.soldOut = true
    if (!isEligible(coupons.get(couponId), decided)) continue
    demand.eligible.set(command.userId, (demand.eligible.get(command.userId) ?? 0) + 1)
  }

  const violations: Violation[] = []
  for (const [couponId, { terms, stock }] of coupons) {
    const demand = demands.get(couponId)
    if (demand === undefined || !demand.comparable) continue
    let wanted = 0
    for (const requests of demand.eligible.values()) wanted += Math.min(terms.perUserLimit, requests)
    const expected = Math.min(stock, wanted)
    if (demand.issued === expected) continue
    const message = `coupon ${couponId} gave out ${demand.issued} pieces at rest; stock and requests ask for ${expected}`
    violations.push({ invariant: 1, message, partition: history.partition, couponId })
  }
  return violations
}
