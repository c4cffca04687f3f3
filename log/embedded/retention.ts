import { readI64 } from '#core'
import type { Clock, RocksDatabase } from '#core'
import { baseOffsetOf, batchField, endOffsetOf, logError } from '../index.ts'
import type { PartitionOffset } from '../index.ts'
import type { GroupCommit } from './group-commit.ts'
import type { PartitionLog } from './partition-log.ts'
import type { TopicRegistry } from './topic-registry.ts'

/** Bytes read at once while looking for what is out of time. */
const sliceBytes = 1 << 20

/** Deletes from the start of partitions: on request, and by time on topics with a retention. */
export class Retention {
  readonly #database: RocksDatabase
  readonly #clock: Clock
  readonly #topics: TopicRegistry
  readonly #commit: GroupCommit

  constructor(database: RocksDatabase, clock: Clock, topics: TopicRegistry, commit: GroupCommit) {
    this.#database = database
    this.#clock = clock
    this.#topics = topics
    this.#commit = commit
  }

  /** Errors: LOG_UNKNOWN_TOPIC, LOG_OFFSET_OUT_OF_RANGE (beyond the end); nothing is deleted then. */
  async deleteRecords(before: readonly PartitionOffset[]): Promise<void> {
    const found = before.map((request) => ({
      partition: this.#topics.partition(request),
      offset: request.offset,
    }))
    for (const { partition, offset } of found) {
      const { start, highWatermark: end } = partition
      if (offset > end) {
        throw logError(
          'LOG_OFFSET_OUT_OF_RANGE',
          `Records below ${offset} cannot be deleted: the log ends at ${end}.`,
          {
            context: { topic: partition.topic.name, partition: partition.partition, offset, start, end },
          },
        )
      }
    }
    for (const { partition, offset } of found) await this.#deleteBelow(partition, offset)
  }

  /** Applies `retentionMs` to every partition of `delete` topics: whole batches, never the last one. */
  async run(): Promise<void> {
    for (const { description, partitions } of this.#topics.all()) {
      const { cleanup, retentionMs } = description.settings
      if (cleanup !== 'delete' || retentionMs < 0) continue
      for (const partition of partitions) {
        await this.#deleteBelow(partition, this.#firstKept(partition, this.#clock.now() - retentionMs))
      }
    }
  }

  #firstKept(partition: PartitionLog, oldest: number): number {
    let at = partition.start
    for (;;) {
      const batches = partition.readStored(this.#database, at, partition.highWatermark, sliceBytes)
      for (const batch of batches) {
        const expired = readI64(batch, batchField.maxTimestamp) < oldest
        if (!expired || endOffsetOf(batch) >= partition.highWatermark)
          return Math.max(baseOffsetOf(batch), at)
        at = endOffsetOf(batch)
      }
      if (batches.length === 0) return at
    }
  }

  /** The new start is durable before anything is deleted, so that a crash leaves garbage below it, never a hole. */
  async #deleteBelow(partition: PartitionLog, offset: number): Promise<void> {
    if (offset <= partition.start || partition.deleted) return
    await this.#commit.stage((group) => {
      if (offset > partition.start && !partition.deleted) {
        partition.trim(offset)
        group.touch(partition)
      }
      return () => {}
    })
    // The batch that holds `offset` begins before it and stays.
    const [holding] = partition.readStored(this.#database, offset, partition.highWatermark, 1)
    const limit = holding === undefined ? offset : Math.min(offset, baseOffsetOf(holding))
    await this.#database.deleteRange(partition.range(limit))
  }
}
