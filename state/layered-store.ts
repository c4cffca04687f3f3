/**
 * A store as the task's transactions see it: committed bytes at the bottom, above them one layer of writes for each
 * transaction that is on its way, and on top the layer of the transaction being filled.
 *
 * Reads look from the top down. `seal` closes the top layer into changelog records; the oldest sealed layer goes
 * away by `settle` once its records are in the backend, or all go away by `discard` when a transaction failed.
 */
import type { RecordBatchBuilder } from '#log'

export interface LayeredStore {
  readonly name: string
  /** True when the top layer holds writes. */
  readonly dirty: boolean
  /**
   * Writes the top layer as changelog records and puts a new one above it. `nextBuilder` answers the builder for
   * each record in turn (a large changelog spans several batches).
   */
  seal(nextBuilder: () => RecordBatchBuilder, timestamp: number): void
  /** The oldest sealed layer is committed and its bytes are in the backend. */
  settle(): void
  /** Drops every layer: the backend's bytes alone count again. */
  discard(): void
}

/** What stands in a layer for a deleted entry. */
export const removed: unique symbol = Symbol('removed')
export type Removed = typeof removed
