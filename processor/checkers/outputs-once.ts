/** Every output exactly once: what a deterministic topology wrote is what folding its input gives, in order. */
import type { EngineViolation } from './violation.ts'

export interface OutputRecord {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
}

/**
 * @param where names the output partition in messages
 * @param expected what folding the input gives for this partition
 * @param written what a read_committed reader of this partition gets
 */
export function checkOutputsOnce(
  where: string,
  expected: readonly OutputRecord[],
  written: readonly OutputRecord[],
): EngineViolation[] {
  const violations: EngineViolation[] = []
  const report = (message: string): void => void violations.push({ check: 'outputs-once', message })
  if (written.length !== expected.length) {
    report(`${where} holds ${written.length} records, its input gives ${expected.length}`)
  }
  for (const [index, record] of written.entries()) {
    const other = expected[index]
    if (other === undefined) break
    if (!isSame(record.key, other.key) || !isSame(record.value, other.value)) {
      // One record too many or too few shifts all that follow: the first difference says where.
      report(`record ${index} of ${where} is ${textOf(record)}, its input gives ${textOf(other)}`)
      break
    }
  }
  return violations
}

function isSame(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : Buffer.compare(a, b) === 0
}

function textOf({ key, value }: OutputRecord): string {
  return [key, value].map((field) => (field === null ? 'null' : Buffer.from(field).toString())).join(' = ')
}
