import type { Clock } from '#core'
import { FetchedRecords, logError } from '../index.ts'
import type { Reader, ReaderOptions, TopicPartition } from '../index.ts'
import { SinglePoll } from '../single-poll.ts'
import type { Cluster } from './cluster.ts'
import { Fetcher, fetchWaitMs } from './fetcher.ts'
import type { Fetched } from './fetcher.ts'
import { FollowedPartitions } from './followed.ts'
import type { Followed } from './followed.ts'
import { unavailable } from './no-answer.ts'

/** A broker that does not answer in this time what it could answer at once hangs. */
const answerWaitMs = 1000
/** Brokers that cannot be reached this long are no passing trouble. */
const patienceMs = 3000

export class KafkaReader implements Reader {
  readonly #clock: Clock
  readonly #fetcher: Fetcher
  readonly #pollBytesMax: number
  readonly #onClosed: (reader: KafkaReader) => void
  readonly #followed = new FollowedPartitions()
  readonly #polls = new SinglePoll()
  /** Fetched and not yet taken: at most one a partition. */
  #fetched: Fetched[] = []
  readonly #errors = new Map<Followed, unknown>()
  #changed = Promise.withResolvers<void>()
  #failingSince: number | undefined
  #woken = false
  #closing: Promise<void> | undefined

  constructor(options: {
    readonly cluster: Cluster
    readonly reader: ReaderOptions
    readonly onClosed: (reader: KafkaReader) => void
  }) {
    this.#clock = options.cluster.clock
    this.#onClosed = options.onClosed
    this.#pollBytesMax = options.reader.pollBytesMax ?? 8 << 20
    const limits = {
      partitionBytesMax: options.reader.partitionBytesMax ?? 1 << 20,
      bytesMax: this.#pollBytesMax,
    }
    this.#fetcher = new Fetcher(options.cluster, limits, {
      fetched: (result) => void this.#fetched.push(result),
      failed: (followed, error) => {
        this.#errors.set(followed, error)
        this.#change()
      },
      ended: () => this.#change(),
    })
  }

  seek(place: TopicPartition, offset: number): void {
    this.#followed.seek(place, offset)
    this.#change()
  }

  remove(place: TopicPartition): void {
    this.#followed.remove(place)
    this.#change()
  }

  pause(place: TopicPartition): void {
    const followed = this.#followed.get(place)
    if (followed !== undefined) followed.paused = true
  }

  resume(place: TopicPartition): void {
    const followed = this.#followed.get(place)
    if (followed === undefined || !followed.paused) return
    followed.paused = false
    this.#change()
  }

  position(place: TopicPartition): number | undefined {
    return this.#followed.get(place)?.offset
  }

  poll(waitMs: number): Promise<readonly FetchedRecords[]> {
    return this.#polls.run(() => this.#poll(waitMs))
  }

  wakeup(): void {
    this.#woken = true
    this.#change()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#change()
    await this.#fetcher.close()
    await this.#polls.settled()
    this.#fetched = []
    this.#onClosed(this)
  }

  async #poll(waitMs: number): Promise<readonly FetchedRecords[]> {
    const deadline = this.#clock.now() + waitMs
    // Of answers that have come together, all are taken before anything is asked for, and then together: else
    // partitions that once were asked for apart would stay so, and each record cost a fetch of its own.
    if (this.#fetcher.isBusy) await this.#clock.yield()
    try {
      for (let left = waitMs; ; left = deadline - this.#clock.now()) {
        this.#assertOpen()
        this.#changed = Promise.withResolvers<void>()
        const found = this.#take()
        if (found.length > 0) {
          this.#fetchAhead()
          return found
        }
        this.#throwErrors()
        if (this.#woken) return found
        const askable = this.#followed.askable(() => true)
        // It may outlast this poll: the next one takes what it brings.
        const begun = this.#fetcher.start(askable, left > 0 ? fetchWaitMs : 0)
        if (left > 0) {
          await this.#wait(left, this.#changed.promise)
          continue
        }
        // Without time to wait, what is there is still waited for: brokers answer such a fetch at once.
        const looking = !this.#fetcher.knowsLeaders(askable)
        await this.#wait(answerWaitMs, Promise.all([begun, this.#fetcher.questions()]))
        const goesOn = this.#hasNews() || (looking && this.#fetcher.knowsLeaders(askable))
        if (!goesOn) return this.#nothing()
      }
    } finally {
      this.#woken = false
    }
  }

  async #wait(ms: number, event: Promise<unknown>): Promise<void> {
    const waited = new AbortController()
    await Promise.race([event, this.#clock.sleep(ms, waited.signal)])
    waited.abort()
  }

  /** While the caller works on what it got, what lies behind it is already on its way. */
  #fetchAhead(): void {
    void this.#fetcher.start(
      this.#followed.askable(({ offset, committedEnd }) => offset < committedEnd),
      0,
    )
  }

  /** Takes what was fetched, up to the limit, and moves positions. Paused partitions keep theirs. */
  #take(): FetchedRecords[] {
    const taken: FetchedRecords[] = []
    const kept: Fetched[] = []
    let bytes = 0
    for (const fetched of this.#fetched) {
      const { followed, startOffset, nextOffset, highWatermark, batches, byteLength } = fetched
      if (!this.#followed.has(followed)) continue
      if (followed.paused || (taken.length > 0 && bytes + byteLength > this.#pollBytesMax)) {
        kept.push(fetched)
        continue
      }
      bytes += byteLength
      followed.offset = nextOffset
      followed.asked = false
      const { topic, partition } = followed
      taken.push(new FetchedRecords({ topic, partition, startOffset, nextOffset, highWatermark, batches }))
    }
    this.#fetched = kept
    return taken
  }

  /** Something can be taken, or has to be thrown. */
  #hasNews(): boolean {
    const counts = (followed: Followed): boolean => this.#followed.has(followed) && !followed.paused
    return this.#fetched.some(({ followed }) => counts(followed)) || [...this.#errors.keys()].some(counts)
  }

  #throwErrors(): void {
    for (const [followed, error] of this.#errors) {
      if (followed.paused && this.#followed.has(followed)) continue
      this.#errors.delete(followed)
      if (this.#followed.has(followed)) throw error
    }
  }

  /** Nothing came; when that is because no broker can be reached for long, it is said. */
  #nothing(): readonly FetchedRecords[] {
    const { failure } = this.#fetcher
    if (failure === undefined || !this.#followed.hasActive) {
      this.#failingSince = undefined
      return []
    }
    const now = this.#clock.now()
    this.#failingSince ??= now
    if (now - this.#failingSince < patienceMs) return []
    throw unavailable('reading', failure)
  }

  #change(): void {
    this.#changed.resolve()
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw logError('LOG_CLOSED', 'This reader is closed. Make another one.')
  }
}
