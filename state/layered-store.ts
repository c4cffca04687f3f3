/**
 * A store as the task's transactions see it: committed bytes at the bottom, above them one layer of writes for each
 * transaction that is on its way, and on top the layer of the transaction being filled.
 *
 * Reads look from the top down. `seal` closes the top layer into changelog records; the oldest sealed layer goes
 * away by `settle` once its records are in the backend, or all go away by `discard` when a transaction failed.
 */
import type { RecordBatchBuilder } from '#log'
import type { StateBatch } from './backend.ts'

export interface LayeredStore {
  readonly name: string
  /** True when the top layer holds writes. */
  readonly dirty: boolean
  /**
   * Writes the top layer as changelog records and puts a new one above it. `nextBuilder` answers the builder for
   * each record in turn (a large changelog spans several batches).
   */
  seal(nextBuilder: () => RecordBatchBuilder, timestamp: number): void
  /** The oldest sealed layer is committed; `batch` holds its records, and takes what the store keeps beside them. */
  settle(batch: StateBatch): void
  /** The batch of `settle` or `restored` is written. */
  afterWrite(): void
  /** A record from the changelog goes into `batch`, past all layers; `value` is null for a tombstone. */
  restored(changelogKey: Buffer, value: Buffer | null, batch: StateBatch): void
  /** Drops every layer and whatever is kept in memory: the backend's bytes alone count again. */
  discard(): void
  /**
   * Merges small segments in the top layer, as if a record had done so; false when there is nothing to merge now.
   * @param bytesMax no further merge is begun once so many bytes were read; one reads at most 256 KiB
   */
  mergeSegments(bytesMax: number): boolean
}

/** What stands in a layer for a deleted entry. */
export const removed: unique symbol = Symbol('removed')
export type Removed = typeof removed
