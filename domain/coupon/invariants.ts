/**
 * Checkers of the coupon's invariants, pure and fed by records: used by tests, the simulation and `millrace verify`.
 * Each returns what it found wrong; an empty list means that the invariant held.
 */
import type { PartitionHistory, Violation } from './invariants/history.ts'
import { checkOneResult } from './invariants/one-result.ts'
import { checkDecisions } from './invariants/replay.ts'
import { checkStock, checkStockAtRest } from './invariants/stock.ts'
import { checkUserLimit } from './invariants/user-limit.ts'
import { checkWinners } from './invariants/winners.ts'
import type { ModelOptions } from './model.ts'

export { checkRows, foldResults } from './invariants/fold.ts'
export type { ClaimView, ResultsView } from './invariants/fold.ts'
export type { CommandRecord, PartitionHistory, Violation } from './invariants/history.ts'
export type { OneResultOptions } from './invariants/one-result.ts'
export { checkSameBytes } from './invariants/replay.ts'
export type { KeyAndValue } from './invariants/replay.ts'
export { checkDecisions, checkOneResult, checkStock, checkStockAtRest, checkUserLimit, checkWinners }

/** Invariants 1 to 5 of one partition whose commands are all decided. */
export function checkHistory(
  history: PartitionHistory,
  options: Omit<ModelOptions, 'partition'> = {},
): Violation[] {
  return [
    ...checkStock(history),
    ...checkStockAtRest(history),
    ...checkUserLimit(history),
    ...checkWinners(history),
    ...checkOneResult(history),
    ...checkDecisions(history, options),
  ]
}
