/**
 * What is remembered beside the data, in the same write: which changelog the data comes from, and how far.
 */
export interface Checkpoint {
  /** The log (cluster id) and the topic's id: offsets of another log mean nothing here. */
  readonly clusterId: string
  readonly topicId: string
  /** The next changelog offset to apply (exclusive end of what is applied). */
  readonly offset: number
  /** Wall-clock milliseconds when it was written: an old one may have missed expired tombstones. */
  readonly writtenAt: number
}

/** A checkpoint that is older is dated anew when its state is known to be complete, milliseconds. */
export const checkpointRenewalMs = 3_600_000

/** The changelog as it is now, to hold a checkpoint against. */
export interface ChangelogFacts {
  readonly clusterId: string
  readonly topicId: string
  /** First readable offset, inclusive. */
  readonly start: number
  /** High watermark, exclusive. */
  readonly end: number
  readonly deleteRetentionMs: number
}

/**
 * Why a checkpoint cannot be continued from; undefined when it can. Then the state is wiped and restored whole:
 * tombstones younger than the checkpoint may be gone once half of their retention has passed (the other half is
 * for the restore itself).
 */
export function whyUnusable(
  checkpoint: Checkpoint,
  changelog: ChangelogFacts,
  now: number,
): string | undefined {
  if (checkpoint.clusterId !== changelog.clusterId) return 'it belongs to another log'
  if (checkpoint.topicId !== changelog.topicId) return 'its changelog was deleted and created again'
  if (checkpoint.offset > changelog.end) {
    return `it ends at changelog offset ${checkpoint.offset}, but the changelog ends at ${changelog.end}`
  }
  if (checkpoint.offset < changelog.start) {
    return `it ends at changelog offset ${checkpoint.offset}, but the changelog begins at ${changelog.start}`
  }
  const age = now - checkpoint.writtenAt
  if (age > changelog.deleteRetentionMs / 2) {
    return `it is ${age} ms old, more than half of the changelog's delete.retention.ms`
  }
  return undefined
}

/** A checkpoint as it was written; undefined when the bytes are not one. */
export function readCheckpoint(bytes: Buffer): Checkpoint | undefined {
  try {
    const { clusterId, topicId, offset, writtenAt } = JSON.parse(bytes.toString()) as Record<string, unknown>
    if (typeof clusterId !== 'string' || typeof topicId !== 'string') return undefined
    if (!isCount(offset) || typeof writtenAt !== 'number') return undefined
    return { clusterId, topicId, offset, writtenAt }
  } catch {
    return undefined
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
