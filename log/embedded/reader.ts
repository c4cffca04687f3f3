import { isMillraceError } from '#core'
import type { Clock } from '#core'
import { FetchedRecords, logError } from '../index.ts'
import type { PartitionOffset, Reader, ReaderOptions, TopicPartition } from '../index.ts'
import type { BrokerApi, FetchReply } from './broker-api.ts'

/** A followed partition; replaced whenever its position or its pause changes, so that late answers are told apart. */
interface Followed extends PartitionOffset {
  readonly paused: boolean
}

export class EmbeddedReader implements Reader {
  readonly #broker: BrokerApi
  readonly #clock: Clock
  readonly #fetcher: number
  readonly #partitionBytesMax: number
  readonly #pollBytesMax: number
  readonly #onClosed: (reader: EmbeddedReader) => void
  readonly #followed = new Map<string, Followed>()
  #rotation = 0
  #polling: Promise<unknown> | undefined
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

  seek({ topic, partition }: TopicPartition, offset: number): void {
    const name = nameOf(topic, partition)
    this.#change(name, { topic, partition, offset, paused: this.#followed.get(name)?.paused ?? false })
  }

  remove({ topic, partition }: TopicPartition): void {
    this.#change(nameOf(topic, partition), undefined)
  }

  pause({ topic, partition }: TopicPartition): void {
    this.#setPaused(nameOf(topic, partition), true)
  }

  resume({ topic, partition }: TopicPartition): void {
    this.#setPaused(nameOf(topic, partition), false)
  }

  position({ topic, partition }: TopicPartition): number | undefined {
    return this.#followed.get(nameOf(topic, partition))?.offset
  }

  poll(waitMs: number): Promise<readonly FetchedRecords[]> {
    if (this.#polling !== undefined) {
      return Promise.reject(
        logError(
          'LOG_INVALID_REQUEST',
          'This reader is being polled. Wait for that call before the next one.',
        ),
      )
    }
    const polling = this.#poll(waitMs).finally(() => {
      this.#polling = undefined
    })
    this.#polling = polling
    return polling
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
    await this.#polling?.catch(() => undefined)
  }

  async #poll(waitMs: number): Promise<readonly FetchedRecords[]> {
    const deadline = this.#clock.now() + waitMs
    try {
      // In the broker's thread a read of what is there takes no turn of the event loop: whoever catches up on a
      // long log would keep everything else from running.
      if (this.#catchingUp) await this.#clock.yield()
      for (let left = waitMs; ; left = deadline - this.#clock.now()) {
        this.#assertOpen()
        const asked = this.#rotated()
        const reply = await this.#fetch(asked, this.#woken ? 0 : Math.max(left, 0))
        this.#assertOpen()
        const found = this.#take(asked, reply)
        this.#catchingUp = found.length > 0
        if (found.length > 0 || this.#woken || left <= 0) return found
      }
    } finally {
      this.#woken = false
    }
  }

  async #fetch(positions: readonly Followed[], waitMs: number): Promise<FetchReply> {
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

  /** Moves positions; drops answers for partitions that were moved, paused or removed meanwhile. */
  #take(asked: readonly Followed[], reply: FetchReply): FetchedRecords[] {
    const taken: FetchedRecords[] = []
    for (const { index, nextOffset, highWatermark, batches } of reply.partitions) {
      const followed = asked[index] as Followed
      const name = nameOf(followed.topic, followed.partition)
      if (this.#followed.get(name) !== followed) continue
      this.#followed.set(name, { ...followed, offset: nextOffset })
      const { topic, partition, offset: startOffset } = followed
      taken.push(new FetchedRecords({ topic, partition, startOffset, nextOffset, highWatermark, batches }))
    }
    return taken
  }

  /** What is not paused, beginning with another partition each time. */
  #rotated(): Followed[] {
    const active = [...this.#followed.values()].filter((followed) => !followed.paused)
    const first = active.length === 0 ? 0 : this.#rotation++ % active.length
    return [...active.slice(first), ...active.slice(0, first)]
  }

  #setPaused(name: string, paused: boolean): void {
    const followed = this.#followed.get(name)
    if (followed !== undefined && followed.paused !== paused) this.#change(name, { ...followed, paused })
  }

  /** A fetch that waits does so for the old positions: it is asked again. */
  #change(name: string, followed: Followed | undefined): void {
    if (followed === undefined) this.#followed.delete(name)
    else this.#followed.set(name, followed)
    this.#interrupt()
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

function nameOf(topic: string, partition: number): string {
  return `${topic}-${partition}`
}
