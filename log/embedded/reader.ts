import { isMillraceError } from '#core'
import type { Clock } from '#core'
import { FollowedPartitions } from '../followed-partitions.ts'
import type { FollowedPartition } from '../followed-partitions.ts'
import { logError } from '../index.ts'
import type { FetchedRecords, Reader, ReaderOptions, TopicPartition } from '../index.ts'
import { SinglePoll } from '../single-poll.ts'
import type { BrokerApi, FetchReply } from './broker-api.ts'

export class EmbeddedReader implements Reader {
  readonly #broker: BrokerApi
  readonly #clock: Clock
  readonly #fetcher: number
  readonly #partitionBytesMax: number
  readonly #pollBytesMax: number
  readonly #onClosed: (reader: EmbeddedReader) => void
  readonly #followed = new FollowedPartitions(() => this.#interrupt())
  readonly #polls = new SinglePoll()
  #fetching = false
  /** The poll before brought something, so this one may find something at once. */
  #catchingUp = false
  #woken = false
  #closed = false

  constructor(options: {
    readonly broker: BrokerApi
    readonly clock: Clock
    /** Unique in the session. */
    readonly fetcher: number
    readonly reader: ReaderOptions
    readonly onClosed: (reader: EmbeddedReader) => void
  }) {
    this.#broker = options.broker
    this.#clock = options.clock
    this.#fetcher = options.fetcher
    this.#partitionBytesMax = options.reader.partitionBytesMax ?? 1 << 20
    this.#pollBytesMax = options.reader.pollBytesMax ?? 8 << 20
    this.#onClosed = options.onClosed
  }

  seek(partition: TopicPartition, offset: number): void {
    this.#followed.seek(partition, offset)
  }

  remove(partition: TopicPartition): void {
    this.#followed.remove(partition)
  }

  pause(partition: TopicPartition): void {
    this.#followed.setPaused(partition, true)
  }

  resume(partition: TopicPartition): void {
    this.#followed.setPaused(partition, false)
  }

  position(partition: TopicPartition): number | undefined {
    return this.#followed.position(partition)
  }

  poll(waitMs: number): Promise<readonly FetchedRecords[]> {
    return this.#polls.run(() => this.#poll(waitMs))
  }

  wakeup(): void {
    this.#woken = true
    this.#interrupt()
  }

  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true
      this.#interrupt()
      this.#onClosed(this)
    }
    await this.#polls.settled()
  }

  async #poll(waitMs: number): Promise<readonly FetchedRecords[]> {
    const deadline = this.#clock.now() + waitMs
    try {
      // In the broker's thread a read of what is there takes no turn of the event loop: whoever catches up on a
      // long log would keep everything else from running.
      if (this.#catchingUp) await this.#clock.yield()
      for (let left = waitMs; ; left = deadline - this.#clock.now()) {
        this.#assertOpen()
        const asked = this.#followed.rotated()
        const reply = await this.#fetch(asked, this.#woken ? 0 : Math.max(left, 0))
        this.#assertOpen()
        const found = this.#followed.take(asked, reply.partitions)
        this.#catchingUp = found.length > 0
        if (found.length > 0 || this.#woken || left <= 0) return found
      }
    } finally {
      this.#woken = false
    }
  }

  async #fetch(positions: readonly FollowedPartition[], waitMs: number): Promise<FetchReply> {
    this.#fetching = true
    try {
      return await this.#broker.fetch({
        fetcher: this.#fetcher,
        positions,
        partitionBytesMax: this.#partitionBytesMax,
        pollBytesMax: this.#pollBytesMax,
        waitMs,
      })
    } catch (error) {
      throw isMillraceError(error, 'RPC_CLOSED') ? closedError(error) : error
    } finally {
      this.#fetching = false
    }
  }

  #interrupt(): void {
    if (!this.#fetching) return
    // Whether the broker can still be reached shows in the fetch itself.
    this.#broker.wakeFetch(this.#fetcher).catch(() => undefined)
  }

  #assertOpen(): void {
    if (this.#closed) throw closedError(undefined)
  }
}

function closedError(cause: unknown): Error {
  return logError('LOG_CLOSED', 'This reader is closed. Make another one.', { cause })
}
