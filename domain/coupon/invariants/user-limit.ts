/** Invariant 2: a user never holds more pieces than the limit, each in a slot of its own. */
import { decidedOf, follow } from './history.ts'
import type { Opened, PartitionHistory, Violation } from './history.ts'

export function checkUserLimit(history: PartitionHistory): Violation[] {
  const violations: Violation[] = []
  const coupons = new Map<string, Opened>()
  /** Coupon and user → sequence → slot. */
  const held = new Map<string, Map<number, number>>()
  for (const decided of decidedOf(history)) {
    const { offset, result } = decided
    const { couponId, userId, sequence = 0, slot = 0 } = result
    follow(coupons, decided)
    if (result.outcome !== 'issued' && result.outcome !== 'cancelled') continue
    const place = `${couponId} ${userId}`
    const own = held.get(place) ?? new Map<number, number>()
    held.set(place, own)
    const report = (message: string): void => {
      violations.push({ invariant: 2, message, partition: history.partition, offset, couponId })
    }
    if (result.outcome === 'cancelled') {
      if (!own.delete(sequence)) report(`user ${userId} gave back piece ${sequence} without holding it`)
      continue
    }
    const limit = coupons.get(couponId)?.terms.perUserLimit ?? 0
    if (slot < 1 || slot > limit) report(`user ${userId} got slot ${slot}, beyond the limit of ${limit}`)
    if ([...own.values()].includes(slot)) report(`user ${userId} got slot ${slot} twice`)
    own.set(sequence, slot)
    if (own.size > limit) report(`user ${userId} holds ${own.size} pieces, beyond the limit of ${limit}`)
  }
  return violations
}
