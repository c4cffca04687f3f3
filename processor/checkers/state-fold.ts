/** The local state of a store is the fold of its committed changelog, byte for byte. */
import { RecordCursor } from '#log'
import type { EngineViolation } from './violation.ts'

/** Changelog keys as latin1, whose order is the bytewise one; the latest value of each that is not deleted. */
export type FoldedChangelog = ReadonlyMap<string, Buffer>

/**
 * Folds committed batches in offset order.
 * @param end exclusive; records from it on are left out
 */
export function foldChangelog(batches: readonly Buffer[], end = Number.POSITIVE_INFINITY): FoldedChangelog {
  const folded = new Map<string, Buffer>()
  for (const cursor = new RecordCursor(batches); cursor.next();) {
    if (cursor.offset >= end) break
    const key = cursor.key()?.toString('latin1')
    const value = cursor.value()
    if (key === undefined) continue
    if (value === null) folded.delete(key)
    else folded.set(key, Buffer.from(value))
  }
  return folded
}

/** @param state what `TaskState.dump` gives for the store */
export function checkStateIsFold(
  store: string,
  changelog: FoldedChangelog,
  state: Iterable<readonly [key: Buffer, value: Buffer]>,
): EngineViolation[] {
  const violations: EngineViolation[] = []
  const report = (key: string, what: string): void => {
    const message = `${store} ${what} ${Buffer.from(key, 'latin1').toString('hex')}`
    violations.push({ check: 'state-is-fold', message })
  }
  const seen = new Set<string>()
  for (const [keyBytes, value] of state) {
    const key = keyBytes.toString('latin1')
    seen.add(key)
    const expected = changelog.get(key)
    if (expected === undefined) report(key, 'holds a key that its changelog does not:')
    else if (!expected.equals(value)) report(key, 'has another value than its changelog under')
  }
  for (const key of changelog.keys()) if (!seen.has(key)) report(key, 'lacks a key of its changelog:')
  return violations
}
