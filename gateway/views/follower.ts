/**
 * Reads `coupon-status` and `coupon-result` into the views, for ever. A log that cannot be reached is asked again with
 * a growing pause; the views stand still meanwhile, and `stalled` says when they are too old to refuse anybody.
 */
import { isMillraceError, messageOf } from '#core'
import type { Clock, Logger } from '#core'
import { everyPartition } from '#log'
import type { FetchedRecords, Log, PartitionOffset, Reader, TopicPartition } from '#log'
import { statusSerde } from '#domain/coupon'
import type { CouponTopics } from '#domain/coupon'
import type { CouponView } from './coupon-view.ts'
import type { ResultView } from './result-view.ts'

export interface FollowerOptions {
  readonly log: Log
  readonly topics: CouponTopics
  readonly partitions: number
  readonly coupons: CouponView
  readonly results: ResultView
  readonly clock: Clock
  readonly logger: Logger
  readonly onLag?: (topic: string, partition: number, records: number) => void
}

const pollMs = 500
const stalledAfterMs = 5000
const pauseMsMax = 1000
const pruneEveryMs = 60_000

interface Target {
  readonly ends: readonly PartitionOffset[]
  readonly reached: () => void
}

export class Follower {
  readonly #options: FollowerOptions
  readonly #reader: Reader
  readonly #closing = new AbortController()
  readonly #targets = new Set<Target>()
  #running: Promise<void> | undefined
  #lastReadAt: number
  #nextPruneAt: number

  constructor(options: FollowerOptions) {
    this.#options = options
    this.#reader = options.log.reader({ pollBytesMax: 4 << 20 })
    this.#lastReadAt = options.clock.now()
    this.#nextPruneAt = options.clock.now() + pruneEveryMs
  }

  start(): void {
    for (const partition of this.#statusPartitions()) this.#reader.seek(partition, 0)
    this.#seekResults()
    this.#running ??= this.#run()
  }

  /** True when nothing could be read for 5 seconds. */
  stalled(now = this.#options.clock.now()): boolean {
    return now - this.#lastReadAt >= stalledAfterMs
  }

  /** Resolves once everything below `ends` is in the views; does not when this follower is closed before. */
  reached(ends: readonly PartitionOffset[]): Promise<void> {
    return new Promise((resolve) => {
      const target = { ends, reached: resolve }
      if (this.#isReached(target)) resolve()
      else this.#targets.add(target)
    })
  }

  /** The ends of both topics now: committed records only. Errors: those of LogAdmin.offsets. */
  async ends(
    partitions = [...this.#statusPartitions(), ...this.#resultPartitions()],
  ): Promise<PartitionOffset[]> {
    const offsets = await this.#options.log.admin.offsets(partitions)
    return offsets.map(({ topic, partition, lastStableOffset }) => ({
      topic,
      partition,
      offset: lastStableOffset,
    }))
  }

  statusEnds(): Promise<PartitionOffset[]> {
    return this.ends(this.#statusPartitions())
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#reader.wakeup()
    await this.#running
    await this.#reader.close()
  }

  #statusPartitions(): TopicPartition[] {
    return everyPartition(this.#options.topics.status, this.#options.partitions)
  }

  #resultPartitions(): TopicPartition[] {
    return everyPartition(this.#options.topics.result, this.#options.partitions)
  }

  #seekResults(): void {
    for (const partition of this.#resultPartitions()) {
      this.#reader.seek(partition, this.#options.results.readingPosition(partition.partition))
    }
  }

  async #run(): Promise<void> {
    const { clock, logger } = this.#options
    let pauseMs = 0
    while (!this.#closing.signal.aborted) {
      try {
        this.#apply(await this.#reader.poll(pollMs))
        this.#lastReadAt = clock.now()
        pauseMs = 0
        await this.#pruneWhenDue()
      } catch (error) {
        if (this.#closing.signal.aborted) return
        if (this.#resumeInRange(error)) continue
        pauseMs = Math.min(pauseMsMax, Math.max(50, pauseMs * 2))
        logger.warn({ error: messageOf(error), pauseMs }, 'The views could not be read on; trying again.')
        await clock.sleep(pauseMs, this.#closing.signal)
        // What was fetched but not applied is fetched again.
        this.#seekResults()
      }
    }
  }

  #apply(fetched: readonly FetchedRecords[]): void {
    // Statuses first: an operator's answer waits for the result, and by then the gate should have followed.
    for (const records of fetched)
      if (records.topic === this.#options.topics.status) this.#applyStatuses(records)
    for (const records of fetched)
      if (records.topic === this.#options.topics.result) this.#options.results.apply(records)
    for (const { topic, partition, highWatermark, nextOffset } of fetched) {
      this.#options.onLag?.(topic, partition, highWatermark - nextOffset)
    }
    for (const target of this.#targets) {
      if (!this.#isReached(target)) continue
      this.#targets.delete(target)
      target.reached()
    }
  }

  #applyStatuses(records: FetchedRecords): void {
    const cursor = records.cursor()
    while (cursor.next()) {
      if (cursor.valueEnd < cursor.valueStart) continue
      try {
        const status = statusSerde.read(cursor.buffer, cursor.valueStart, cursor.valueEnd)
        const { partition, offset, ...snapshot } = status
        this.#options.coupons.applySnapshot(snapshot, partition, offset)
      } catch (error) {
        const where = { topic: records.topic, partition: records.partition, offset: cursor.offset }
        this.#options.logger.error(
          { ...where, error: messageOf(error) },
          'A status cannot be read; it is left out.',
        )
      }
    }
  }

  #isReached({ ends }: Target): boolean {
    return ends.every((end) => this.#appliedPosition(end) >= end.offset)
  }

  #appliedPosition(partition: TopicPartition): number {
    const { topics, results } = this.#options
    const position = this.#reader.position(partition) ?? 0
    // A result counts once its view has it; a stretch without records moves the reader only.
    if (partition.topic !== topics.result) return position
    return Math.max(position, results.readingPosition(partition.partition))
  }

  /** A position before the topic's start goes on at the start. */
  #resumeInRange(error: unknown): boolean {
    if (!isMillraceError(error, 'LOG_OFFSET_OUT_OF_RANGE')) return false
    const { topic, partition, offset, start } = error.context
    if (typeof topic !== 'string' || typeof partition !== 'number') return false
    if (typeof offset !== 'number' || typeof start !== 'number' || offset >= start) return false
    this.#options.logger.warn(
      { topic, partition, offset, start },
      'Records were removed before they were followed.',
    )
    this.#reader.seek({ topic, partition }, start)
    if (topic === this.#options.topics.result) this.#options.results.noteGap(partition)
    return true
  }

  async #pruneWhenDue(): Promise<void> {
    const now = this.#options.clock.now()
    if (now < this.#nextPruneAt) return
    this.#nextPruneAt = now + pruneEveryMs
    await this.#options.results.prune()
  }
}
