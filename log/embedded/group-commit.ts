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
 * Everything staged in one turn of the event loop becomes one WriteBatch with one fsync: no timer, one group at a
 * time (the write blocks the thread). Nothing is visible before its group is durable. After a failed write RocksDB
 * may or may not hold the group, so the log takes nothing more until it is opened again.
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
      if (this.#staged.length === 0) setImmediate(() => this.#flush())
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
    })
  }

  /** Resolves when everything staged so far is durable or failed. */
  async drain(): Promise<void> {
    while (this.#staged.length > 0) await this.#clock.yield()
  }

  #flush(): void {
    const staged = this.#staged
    this.#staged = []
    const touched = new Set<PartitionLog>()
    try {
      this.assertWritable()
    } catch (error) {
      for (const entry of staged) entry.failed(error as Error)
      return
    }
    try {
      const batch = this.#database.batch()
      const group: WriteGroup = {
        batch,
        now: this.#clock.now(),
        touch: (partition) => touched.add(partition),
      }
      for (const entry of staged) entry.write(group)
      for (const partition of touched) if (!partition.deleted) partition.putState(batch)
      if (batch.count > 0) this.#database.write(batch, { sync: true })
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
