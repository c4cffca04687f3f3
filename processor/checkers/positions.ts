/** The position that a task keeps in its changelog is the offset that its group has committed. */
import type { CommittedOffset } from '#log'
import { changelogKind, readPosition } from '#state'
import type { FoldedChangelog } from './state-fold.ts'
import type { EngineViolation } from './violation.ts'

const positionKey = String.fromCodePoint(changelogKind.position)

/**
 * @param changelog the one that carries the task's position, folded to its end
 * @param committed of the task's inputs, with nothing undecided
 */
export function checkPositionIsOffset(
  taskId: string,
  changelog: FoldedChangelog,
  committed: readonly CommittedOffset[],
): EngineViolation[] {
  const bytes = changelog.get(positionKey)
  const kept = bytes === undefined ? [] : readPosition(bytes).inputs
  return committed.flatMap(({ topic, partition, offset }) => {
    const position = kept.find((input) => input.topic === topic && input.partition === partition)?.offset
    if (position === offset) return []
    const message = `task ${taskId} is at offset ${position} of ${topic}-${partition}, its group at ${offset}`
    return [{ check: 'position-is-offset' as const, message }]
  })
}
