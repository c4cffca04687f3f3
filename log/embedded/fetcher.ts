import type { Clock, RocksDatabase } from '#core'
import { endOffsetOf, logError } from '../index.ts'
import type { FetchReply, FetchRequest, FetchedPartition } from './broker-api.ts'
import type { PartitionLog } from './partition-log.ts'
import type { TopicRegistry } from './topic-registry.ts'

interface Waiter {
  readonly partitions: ReadonlySet<PartitionLog>
  readonly woken: AbortController
}

/** Serves reads: from the tail cache, else from RocksDB; a read that finds nothing waits for the next write group. */
export class Fetcher {
  readonly #database: RocksDatabase
  readonly #clock: Clock
  readonly #topics: TopicRegistry
  readonly #waiters = new Set<Waiter>()

  constructor(database: RocksDatabase, clock: Clock, topics: TopicRegistry) {
    this.#database = database
    this.#clock = clock
    this.#topics = topics
  }

  /**
   * @param woken aborting it ends the wait
   * Errors: LOG_UNKNOWN_TOPIC, LOG_OFFSET_OUT_OF_RANGE.
   */
  async fetch(request: FetchRequest, woken: AbortController): Promise<FetchReply> {
    const found = this.#collect(request)
    if (found.length > 0 || request.waitMs <= 0 || woken.signal.aborted) return { partitions: found }
    const partitions = new Set(request.positions.map((position) => this.#topics.partition(position)))
    const waiter: Waiter = { partitions, woken }
    this.#waiters.add(waiter)
    await this.#clock.sleep(request.waitMs, woken.signal)
    this.#waiters.delete(waiter)
    return { partitions: this.#collect(request) }
  }

  /** Wakes the reads that wait for one of the partitions. */
  published(partitions: ReadonlySet<PartitionLog>): void {
    for (const waiter of this.#waiters) {
      if (!partitions.isDisjointFrom(waiter.partitions)) waiter.woken.abort()
    }
  }

  wakeAll(): void {
    for (const waiter of this.#waiters) waiter.woken.abort()
  }

  #collect(request: FetchRequest): FetchedPartition[] {
    const found: FetchedPartition[] = []
    let bytesLeft = request.pollBytesMax
    for (const [index, position] of request.positions.entries()) {
      const partition = this.#topics.partition(position)
      const { offset } = position
      assertInRange(partition, offset)
      if (offset === partition.highWatermark || (bytesLeft <= 0 && found.length > 0)) continue
      const bytesMax = Math.min(request.partitionBytesMax, Math.max(bytesLeft, 0))
      const batches = this.#read(partition, offset, bytesMax)
      for (const batch of batches) bytesLeft -= batch.length
      const last = batches.at(-1)
      found.push({
        index,
        // Nothing left below the high watermark means that the rest was compacted away.
        nextOffset: last === undefined ? partition.highWatermark : endOffsetOf(last),
        highWatermark: partition.highWatermark,
        batches,
      })
    }
    return found
  }

  #read(partition: PartitionLog, offset: number, bytesMax: number): Buffer[] {
    return offset >= partition.tail.startOffset
      ? partition.tail.read(offset, bytesMax)
      : partition.readStored(this.#database, offset, partition.highWatermark, bytesMax)
  }
}

function assertInRange(partition: PartitionLog, offset: number): void {
  const { start, highWatermark: end } = partition
  if (offset >= start && offset <= end) return
  const topic = partition.topic.name
  throw logError(
    'LOG_OFFSET_OUT_OF_RANGE',
    `Offset ${offset} of ${topic}-${partition.partition} is outside of the log, which holds ${start} to ${end}. Seek to an offset inside.`,
    { context: { topic, partition: partition.partition, offset, start, end } },
  )
}
