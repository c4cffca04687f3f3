/**
 * Deletes the records of repartition topics below the committed positions: they are ours alone, and nobody reads them
 * twice. In the background, one request at a time, once enough has come together or enough time has passed.
 */
import type { Clock, Logger } from '#core'
import type { LogAdmin, PartitionOffset } from '#log'

export interface PurgeLimits {
  /** Records processed since the last request that make the next one due. */
  readonly records: number
  /** Milliseconds since the last request after which any record makes the next one due. */
  readonly intervalMs: number
}

export interface RepartitionPurgeOptions {
  readonly admin: Pick<LogAdmin, 'deleteRecords'>
  readonly topics: ReadonlySet<string>
  readonly clock: Clock
  readonly logger: Logger
  readonly limits: PurgeLimits
}

export class RepartitionPurge {
  readonly #options: RepartitionPurgeOptions
  /** By topic and partition: how far we are, and how far that was at the last request. */
  readonly #partitions = new Map<string, { readonly committed: PartitionOffset; readonly purged: number }>()
  #lastAt: number
  #running: Promise<void> | undefined

  constructor(options: RepartitionPurgeOptions) {
    this.#options = options
    this.#lastAt = options.clock.now()
  }

  /** Records below these offsets are processed, and that is committed. Offsets of other topics are ignored. */
  committed(offsets: readonly PartitionOffset[]): void {
    const { topics } = this.#options
    if (topics.size === 0) return
    for (const { topic, partition, offset } of offsets) {
      if (!topics.has(topic)) continue
      const key = `${topic}/${partition}`
      const purged = this.#partitions.get(key)?.purged ?? 0
      this.#partitions.set(key, { committed: { topic, partition, offset }, purged })
    }
    if (this.#running === undefined && this.#isDue()) {
      this.#running = this.#purge().finally(() => (this.#running = undefined))
    }
  }

  /** Waits for the request on its way. */
  async close(): Promise<void> {
    await this.#running
  }

  #isDue(): boolean {
    const { clock, limits } = this.#options
    let records = 0
    for (const { committed, purged } of this.#partitions.values()) records += committed.offset - purged
    return records >= limits.records || (records > 0 && clock.now() - this.#lastAt >= limits.intervalMs)
  }

  async #purge(): Promise<void> {
    const { admin, clock, logger } = this.#options
    this.#lastAt = clock.now()
    const before: PartitionOffset[] = []
    for (const [key, { committed, purged }] of this.#partitions) {
      if (committed.offset <= purged) continue
      before.push(committed)
      // Also when it fails: the next request reaches further, and one that fails again and again stays rare.
      this.#partitions.set(key, { committed, purged: committed.offset })
    }
    try {
      await admin.deleteRecords(before)
    } catch (error) {
      logger.warn({ error }, 'processed records of repartition topics not deleted, trying again later')
    }
  }
}
