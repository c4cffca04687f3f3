import { messageOf } from '#core'
import type { Clock, Logger, RocksDatabase } from '#core'
import { compactPartition } from './compaction.ts'
import type { GroupCommit } from './group-commit.ts'
import type { PartitionLog } from './partition-log.ts'
import type { Retention } from './retention.ts'
import { unknownTopic } from '../topic-settings.ts'
import type { TopicRegistry } from './topic-registry.ts'

interface MaintenanceOptions {
  readonly database: RocksDatabase
  readonly clock: Clock
  readonly logger: Logger
  readonly topics: TopicRegistry
  readonly commit: GroupCommit
  readonly retention: Retention
  readonly compactionBytesMin: number
  readonly intervalMs: number
}

/** Decides when to compact and when to apply retention; one thing at a time, beside the log's work. */
export class Maintenance {
  readonly #options: MaintenanceOptions
  readonly #stop = new AbortController()
  /** Partitions that wait for their compaction. */
  readonly #due = new Set<PartitionLog>()
  #work: Promise<void> = Promise.resolve()
  readonly #ticking: Promise<void>

  constructor(options: MaintenanceOptions) {
    this.#options = options
    this.#ticking = this.#tick()
  }

  /** Partitions that a write group changed. */
  written(partitions: ReadonlySet<PartitionLog>): void {
    for (const partition of partitions) {
      if (partition.topic.settings.cleanup !== 'compact' || this.#due.has(partition)) continue
      const { dirtyBytes, cleanBytes } = partition
      if (dirtyBytes < this.#options.compactionBytesMin || dirtyBytes <= cleanBytes) continue
      this.#due.add(partition)
      void this.#queue(() => this.#compact(partition))
    }
  }

  async compact(name: string): Promise<void> {
    const topic = this.#options.topics.topic(name)
    if (topic === undefined) throw unknownTopic(name)
    for (const partition of topic.partitions) await this.#queue(() => this.#compact(partition))
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#ticking
    await this.#work
  }

  async #compact(partition: PartitionLog): Promise<void> {
    await compactPartition(partition, { ...this.#options, signal: this.#stop.signal })
    this.#due.delete(partition)
  }

  async #tick(): Promise<void> {
    for (;;) {
      await this.#options.clock.sleep(this.#options.intervalMs, this.#stop.signal)
      if (this.#stop.signal.aborted) return
      await this.#queue(() => this.#options.retention.run())
    }
  }

  /** A failure is logged and leaves everything readable: the next run tries again. */
  #queue(task: () => Promise<void>): Promise<void> {
    this.#work = this.#after(this.#work, task)
    return this.#work
  }

  async #after(earlier: Promise<void>, task: () => Promise<void>): Promise<void> {
    await earlier
    if (this.#stop.signal.aborted) return
    try {
      await task()
    } catch (error) {
      this.#options.logger.warn({ error: messageOf(error) }, 'log.maintenance-failed')
    }
  }
}
