import { messageOf } from '#core'
import type { Clock, Counter, Metrics, RocksBatch, RocksDatabase } from '#core'
import { logError } from '../index.ts'
import type { PartitionLog } from './partition-log.ts'
import type { TailCache } from './tail-cache.ts'

/** What becomes durable together. */
export interface WriteGroup {
  readonly batch: RocksBatch
  /** Milliseconds since the epoch: the append time of the group. */
  readonly now: number
  /** The partition changed: its state is written with the group. */
  touch(partition: PartitionLog): void
}

/**
 * Runs when the group is put together; must throw before its first put or not at all. What it returns runs once the
 * group is durable, and gives the result.
 */
export type StagedWrite<T> = (group: WriteGroup) => () => T

interface Staged {
  write(group: WriteGroup): void
  applied(): void
  failed(error: Error): void
}

/**
 * Everything staged in one turn of the event loop, and while the group before was being synced, becomes one WriteBatch
 * with one fsync: no timer, one group in flight. The thread goes on during the fsync, but nothing is visible before
 * its group is durable. After a failed write or fsync the disk may or may not hold the group, so the log takes nothing
 * more until it is opened again.
 */
export class GroupCommit {
  readonly #database: RocksDatabase
  readonly #clock: Clock
  readonly #tails: TailCache
  readonly #published: (partitions: ReadonlySet<PartitionLog>) => void
  readonly #failed: () => void
  readonly #flushes: Counter
  readonly #bytes: Counter
  #staged: Staged[] = []
  /** The group in flight, or about to be put together. */
  #flushing: Promise<void> | undefined
  #failure: Error | undefined

  constructor(options: {
    readonly database: RocksDatabase
    readonly clock: Clock
    readonly tails: TailCache
    readonly metrics: Metrics
    /** Called after each group with the partitions that changed. */
    readonly published: (partitions: ReadonlySet<PartitionLog>) => void
    /** Called when the log takes nothing more. */
    readonly failed: () => void
  }) {
    this.#database = options.database
    this.#clock = options.clock
    this.#tails = options.tails
    this.#published = options.published
    this.#failed = options.failed
    this.#flushes = options.metrics.counter({
      name: 'millrace_log_flushes_total',
      help: 'Write groups made durable by the embedded log, one fsync each.',
    })
    this.#bytes = options.metrics.counter({
      name: 'millrace_log_appended_bytes_total',
      help: 'Bytes of record batches made durable by the embedded log.',
    })
  }

  /** Why the log takes nothing more. Errors: LOG_FAILED. */
  assertWritable(): void {
    if (this.#failure !== undefined) {
      throw logError(
        'LOG_FAILED',
        'A write of the embedded log failed. Free disk space or repair the disk, then restart the process.',
        { cause: this.#failure },
      )
    }
  }

  /** Errors: LOG_APPEND_UNKNOWN (the write failed), LOG_FAILED (an earlier one did), and what `write` throws. */
  stage<T>(write: StagedWrite<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.assertWritable()
      let result: (() => T) | undefined
      this.#staged.push({
        write: (group) => {
          try {
            result = write(group)
          } catch (error) {
            reject(error)
          }
        },
        applied: () => {
          if (result !== undefined) resolve(result())
        },
        failed: reject,
      })
      this.#flushing ??= this.#flushInTurn()
    })
  }

  /** Resolves when everything staged so far is durable or failed. */
  async drain(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing
  }

  /** Once the turn is over, so that all who come in it share the group. */
  async #flushInTurn(): Promise<void> {
    await this.#clock.yield()
    const staged = this.#staged
    this.#staged = []
    await this.#flush(staged)
    this.#flushing = this.#staged.length > 0 ? this.#flushInTurn() : undefined
  }

  async #flush(staged: readonly Staged[]): Promise<void> {
    const touched = new Set<PartitionLog>()
    try {
      this.assertWritable()
    } catch (error) {
      for (const entry of staged) entry.failed(error as Error)
      return
    }
    try {
      if (this.#write(staged, touched)) await this.#database.sync()
    } catch (error) {
      this.#fail(staged, error)
      return
    }
    let bytes = 0
    for (const partition of touched) {
      for (const appended of partition.publish()) {
        this.#tails.add(partition.tail, appended)
        bytes += appended.length
      }
    }
    this.#flushes.add()
    this.#bytes.add(bytes)
    for (const entry of staged) entry.applied()
    this.#published(touched)
  }

  /** Returns whether there was anything to write. */
  #write(staged: readonly Staged[], touched: Set<PartitionLog>): boolean {
    const batch = this.#database.batch()
    const group: WriteGroup = {
      batch,
      now: this.#clock.now(),
      touch: (partition) => touched.add(partition),
    }
    for (const entry of staged) entry.write(group)
    for (const partition of touched) if (!partition.deleted) partition.putState(batch)
    if (batch.count === 0) return false
    this.#database.write(batch, { sync: false })
    return true
  }

  #fail(staged: readonly Staged[], cause: unknown): void {
    const failure = logError(
      'LOG_APPEND_UNKNOWN',
      `The embedded log could not write (${messageOf(cause)}); it may hold the write or not.`,
      { cause },
    )
    this.#failure ??= failure
    for (const entry of staged) entry.failed(failure)
    this.#failed()
  }
}
