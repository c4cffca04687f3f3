/** Invariant 5: outputs are a function of the input up to them, and of nothing else. */
import { isDeepStrictEqual } from 'node:util'
import { CouponModel } from '../model.ts'
import type { ModelOptions } from '../model.ts'
import type { CouponStatus } from '../messages.ts'
import type { PartitionHistory, Violation } from './history.ts'

/**
 * result[i] = model(input[0..i]), and the statuses likewise when the history has them. An `internal-error` is taken
 * as it is: its command has had no effect.
 */
export function checkDecisions(
  history: PartitionHistory,
  options: Omit<ModelOptions, 'partition'> = {},
): Violation[] {
  const { partition } = history
  const violations: Violation[] = []
  const report = (offset: number, couponId: string, message: string): void => {
    violations.push({ invariant: 5, message, partition, offset, couponId })
  }
  const model = new CouponModel({ ...options, partition })
  const results = new Map(history.results.map((result) => [result.offset, result]))
  const statuses: CouponStatus[] = []
  for (const record of history.commands) {
    const { offset, timestamp, command } = record
    const result = results.get(offset)
    if (command === undefined || result === undefined || result.reason === 'internal-error') {
      model.pass(record)
      continue
    }
    const expected = model.answer(offset, timestamp, command)
    if (expected.status !== undefined) statuses.push(expected.status)
    if (isDeepStrictEqual(result, expected.result)) continue
    const message = `decided ${JSON.stringify(result)}, by the rules ${JSON.stringify(expected.result)}`
    report(offset, command.couponId, message)
  }
  if (history.statuses === undefined) return violations

  for (let index = 0; index < Math.max(statuses.length, history.statuses.length); index++) {
    const expected = statuses[index]
    const status = history.statuses[index]
    if (isDeepStrictEqual(status, expected)) continue
    const at = status ?? expected
    const message = `status ${JSON.stringify(status)}, by the rules ${JSON.stringify(expected)}`
    report(at?.offset ?? -1, at?.couponId ?? '', message)
  }
  return violations
}

export interface KeyAndValue {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** Replaying gave the same keys and values, byte for byte and in the same order. */
export function checkSameBytes(first: readonly KeyAndValue[], again: readonly KeyAndValue[]): Violation[] {
  const violations: Violation[] = []
  if (first.length !== again.length) {
    const message = `there were ${first.length} records, and ${again.length} after replay`
    violations.push({ invariant: 5, message })
  }
  for (const [index, record] of first.entries()) {
    const other = again[index]
    if (other === undefined) break
    if (Buffer.compare(record.key, other.key) !== 0 || Buffer.compare(record.value, other.value) !== 0) {
      violations.push({ invariant: 5, message: `record ${index} differs after replay` })
    }
  }
  return violations
}
