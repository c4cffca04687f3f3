/**
 * Where a task's committed bytes live: RocksDB, or memory for stores that are not persistent.
 * Order is bytewise; everything but open and close is synchronous.
 */
export interface StateBackend {
  /** Values in the order of the keys; undefined where there is none. */
  getMany(keys: readonly Uint8Array[]): (Buffer | undefined)[]
  /** Applies everything that `fill` puts into the batch; atomic, also across a crash. Bytes are copied at once. */
  write(fill: (batch: StateBatch) => void): void
  /** Deletes every key in [gte, lt). Not atomic with anything, and lost by a crash like a write. */
  deleteRange(range: StateRange): void
  /** A snapshot of [gte, lt) as of the first step, in key order. Leaving the loop early releases it. */
  scan(range: StateRange): Iterable<readonly [key: Buffer, value: Buffer]>
  close(): Promise<void>
}

export interface StateRange {
  /** Inclusive. */
  readonly gte: Uint8Array
  /** Exclusive. */
  readonly lt: Uint8Array
}

export interface StateBatch {
  put(key: Uint8Array, value: Uint8Array): void
  delete(key: Uint8Array): void
}
