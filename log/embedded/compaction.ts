import type { Clock, RocksDatabase } from '#core'
import { RecordCursor, baseOffsetOf, endOffsetOf, filterBatch } from '../index.ts'
import type { GroupCommit } from './group-commit.ts'
import type { Cleaning, PartitionLog } from './partition-log.ts'

/** Work between two breaths of the event loop, bytes read. */
const sliceBytes = 1 << 20
/** Memory for the keys of one run; a run that meets more compacts only as far as they reach. */
const keyBytesMax = 64 << 20
const keyOverheadBytes = 64
const cleaningsMax = 16

export interface CompactionContext {
  readonly database: RocksDatabase
  readonly clock: Clock
  readonly commit: GroupCommit
  readonly signal: AbortSignal
}

/** What a run knows of the records that were not compacted yet. */
interface DirtyRange {
  /** The last offset of each key below `limit`. */
  readonly latest: ReadonlyMap<string, number>
  readonly limit: number
  readonly bytes: number
}

/**
 * Keeps the last record of each key at its offset. Tombstones stay for `deleteRetentionMs` after their first
 * compaction (KIP-534: whoever saw the value before has that long to see that it is gone). The last batch stays
 * whole. Crash-safe at any point: each slice is one WriteBatch, and a record goes only because a later durable
 * record of its key exists; the state that tells how far compaction came is written last.
 */
export async function compactPartition(partition: PartitionLog, context: CompactionContext): Promise<void> {
  const { deleteRetentionMs } = partition.topic.settings
  const now = context.clock.now()
  const dirty = await readDirtyRange(partition, context)
  const tombstoneLimit = tombstonesBelow(partition.cleanings, now - deleteRetentionMs)
  if (dirty.bytes === 0 && tombstoneLimit === 0) return
  const limit = Math.max(dirty.limit, tombstoneLimit)
  const keptBytes = await rewriteBelow(limit, partition, context, dirty, tombstoneLimit)
  if (isStopped(partition, context)) return
  await context.commit.stage((group) => {
    if (!partition.deleted) {
      partition.compactedTo = Math.max(dirty.limit, partition.compactedTo)
      partition.cleanBytes = keptBytes
      partition.dirtyBytes = Math.max(partition.dirtyBytes - dirty.bytes, 0)
      partition.cleanings = addCleaning(
        partition.cleanings,
        { upTo: dirty.limit, at: now },
        deleteRetentionMs,
      )
      group.touch(partition)
    }
    // The cached batches still hold what was compacted away.
    return () => partition.tail.clear(partition.highWatermark)
  })
}

async function readDirtyRange(partition: PartitionLog, context: CompactionContext): Promise<DirtyRange> {
  const latest = new Map<string, number>()
  const end = partition.highWatermark
  let at = Math.max(partition.compactedTo, partition.start)
  let keyBytes = 0
  let bytes = 0
  while (at < end && keyBytes < keyBytesMax && !isStopped(partition, context)) {
    const batches = partition.readStored(context.database, at, end, sliceBytes)
    for (const batch of batches) {
      // The last batch stays as it is: the log's end is never compacted.
      if (endOffsetOf(batch) >= end) return { latest, limit: at, bytes }
      const cursor = new RecordCursor([batch])
      while (cursor.next()) {
        if (cursor.keyEnd < cursor.keyStart) continue
        const key = cursor.buffer.toString('latin1', cursor.keyStart, cursor.keyEnd)
        if (!latest.has(key)) keyBytes += key.length + keyOverheadBytes
        latest.set(key, cursor.offset)
      }
      at = endOffsetOf(batch)
      bytes += batch.length
    }
    if (batches.length === 0) break
    await context.clock.yield()
  }
  return { latest, limit: at, bytes }
}

/** Returns the bytes that stay below `limit`. */
async function rewriteBelow(
  limit: number,
  partition: PartitionLog,
  context: CompactionContext,
  dirty: DirtyRange,
  tombstoneLimit: number,
): Promise<number> {
  let keptBytes = 0
  let at = partition.start
  while (at < limit && !isStopped(partition, context)) {
    const batches = partition.readStored(context.database, at, limit, sliceBytes)
    if (batches.length === 0) break
    // Read and written without a pause between: what is deleted from now on stays deleted.
    const group = context.database.batch()
    for (const batch of batches) {
      at = endOffsetOf(batch)
      const kept = survivors(batch, dirty.latest, tombstoneLimit)
      keptBytes += kept?.length ?? 0
      if (kept !== batch) partition.rewrite(group, baseOffsetOf(batch), kept)
    }
    if (group.count > 0) context.database.write(group, { sync: false })
    await context.clock.yield()
  }
  return keptBytes
}

/** The batch itself when everything in it stays. Records without a key stay: nothing can replace them. */
function survivors(
  batch: Buffer,
  latest: ReadonlyMap<string, number>,
  tombstoneLimit: number,
): Buffer | undefined {
  const stays = (record: RecordCursor): boolean => {
    if (record.keyEnd < record.keyStart) return true
    const key = record.buffer.toString('latin1', record.keyStart, record.keyEnd)
    if ((latest.get(key) ?? -1) > record.offset) return false
    const isTombstone = record.valueEnd < record.valueStart
    return !isTombstone || record.offset >= tombstoneLimit
  }
  // Most batches of a clean range stay whole: look before copying.
  const cursor = new RecordCursor([batch])
  while (cursor.next()) if (!stays(cursor)) return filterBatch(batch, stays)
  return batch
}

/** Tombstones below it have been readable for their time since their first compaction. */
function tombstonesBelow(cleanings: readonly Cleaning[], before: number): number {
  return Math.max(
    0,
    ...cleanings.filter((cleaning) => cleaning.at <= before).map((cleaning) => cleaning.upTo),
  )
}

/** Remembers when which tombstones were first compacted, in steps coarse enough to stay few. */
function addCleaning(
  cleanings: readonly Cleaning[],
  added: Cleaning,
  deleteRetentionMs: number,
): readonly Cleaning[] {
  const due = tombstonesBelow(cleanings, added.at - deleteRetentionMs)
  const open = cleanings.filter((cleaning) => cleaning.upTo > due)
  const newest = open.at(-1)
  if (added.upTo <= Math.max(due, newest?.upTo ?? 0)) return open
  // Counting from the later time only keeps tombstones longer.
  const merges = newest !== undefined && open.length >= cleaningsMax
  return [...(merges ? open.slice(0, -1) : open), added]
}

function isStopped(partition: PartitionLog, context: CompactionContext): boolean {
  return partition.deleted || context.signal.aborted
}
