/** Committed offsets never go back, and neither do checkpoints within one life of a state directory. */
import type { PartitionOffset } from '#log'
import type { EngineViolation } from './violation.ts'

/** @param commits of one group, in the order in which they became visible */
export function checkOffsetsGrow(commits: Iterable<PartitionOffset>): EngineViolation[] {
  const violations: EngineViolation[] = []
  const last = new Map<string, number>()
  for (const { topic, partition, offset } of commits) {
    const name = `${topic}-${partition}`
    const before = last.get(name) ?? 0
    if (offset < before) {
      const message = `the committed offset of ${name} went back from ${before} to ${offset}`
      violations.push({ check: 'offsets-grow', message })
    }
    last.set(name, offset)
  }
  return violations
}

export interface WrittenCheckpoint {
  /** The state directory and which life of it: it ends when the directory is wiped or loses writes. */
  readonly life: string
  readonly store: string
  readonly offset: number
}

/** @param written in the order of writing */
export function checkCheckpointsGrow(written: Iterable<WrittenCheckpoint>): EngineViolation[] {
  const violations: EngineViolation[] = []
  const last = new Map<string, number>()
  for (const { life, store, offset } of written) {
    const name = `${life} ${store}`
    const before = last.get(name) ?? 0
    if (offset < before) {
      const message = `the checkpoint of ${store} in ${life} went back from ${before} to ${offset}`
      violations.push({ check: 'checkpoints-grow', message })
    }
    last.set(name, offset)
  }
  return violations
}
