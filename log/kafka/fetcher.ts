/** Fetches of one reader: at most three under way a broker, so that a partition resumed does not wait for a quiet one. */
import { logError } from '../index.ts'
import { unknownTopic } from '../topic-settings.ts'
import { brokerError, code, isRetriable } from './broker-errors.ts'
import { addressName } from './broker-connection.ts'
import type { BrokerAddress } from './broker-connection.ts'
import type { Cluster } from './cluster.ts'
import { committedBatches } from './committed-batches.ts'
import type { Connections } from './connections.ts'
import type { Followed } from './followed.ts'
import { NoAnswer } from './no-answer.ts'
import { fetch } from './protocol/fetch.ts'
import type { FetchedPartition } from './protocol/fetch.ts'
import { listOffsets } from './protocol/list-offsets.ts'

/** What one fetch brought of one partition. */
export interface Fetched {
  readonly followed: Followed
  readonly startOffset: number
  readonly nextOffset: number
  readonly highWatermark: number
  readonly batches: readonly Buffer[]
  readonly byteLength: number
}

export interface FetchEvents {
  fetched(result: Fetched): void
  /** The partition cannot be read on from its position. */
  failed(followed: Followed, error: unknown): void
  /** A fetch ended; others may be asked for. */
  ended(): void
}

const lanes = 3
/** A broker answers an empty fetch after at most this, so that nothing waits long for one of its lanes. */
export const fetchWaitMs = 500
const firstWaitMs = 20
const lastWaitMs = 1000

export class Fetcher {
  readonly #cluster: Cluster
  readonly #events: FetchEvents
  readonly #partitionBytesMax: number
  readonly #bytesMax: number
  readonly #connections: readonly Connections[]
  /** Broker and lane of each fetch under way. */
  readonly #busy = new Set<string>()
  /** Partitions that wait for news of their leader, or for a broker to come back. */
  readonly #repairs = new Set<Promise<void>>()
  /** Questions whose answers may make a poll fail: does the topic exist, what does the log hold. */
  readonly #questions = new Set<Promise<void>>()
  readonly #stop = new AbortController()
  #failures = 0
  /** What went wrong last, until something goes right. */
  failure: unknown

  constructor(
    cluster: Cluster,
    limits: { readonly partitionBytesMax: number; readonly bytesMax: number },
    events: FetchEvents,
  ) {
    this.#cluster = cluster
    this.#events = events
    this.#partitionBytesMax = limits.partitionBytesMax
    this.#bytesMax = limits.bytesMax
    this.#connections = Array.from({ length: lanes }, () => cluster.connections(fetchWaitMs))
  }

  /** Resolves when it is known what is wrong with partitions that were found wrong. */
  async questions(): Promise<void> {
    await Promise.all(this.#questions)
  }

  /** A fetch is under way. */
  get isBusy(): boolean {
    return this.#busy.size > 0
  }

  /** False when `start` can only look for the leader of some of them. */
  knowsLeaders(partitions: readonly Followed[]): boolean {
    return partitions.every((followed) => this.#cluster.leader(followed) !== undefined)
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#connections.map((connections) => connections.close()))
    await Promise.all([...this.#repairs, ...this.#questions])
  }

  /**
   * Asks for the partitions where a lane to their broker is free; the others stay to be asked for.
   * @param waitMs how long brokers may wait for the first record
   * @returns when all that was begun has ended; never fails
   */
  async start(partitions: readonly Followed[], waitMs: number): Promise<void> {
    const groups = new Map<string, { leader: BrokerAddress; asked: Followed[] }>()
    const lost: Followed[] = []
    for (const followed of partitions) {
      const leader = this.#cluster.leader(followed)
      if (leader === undefined) {
        lost.push(followed)
        continue
      }
      const group = groups.get(addressName(leader))
      if (group === undefined) groups.set(addressName(leader), { leader, asked: [followed] })
      else group.asked.push(followed)
    }
    const begun: Promise<void>[] = []
    if (lost.length > 0) begun.push(this.#repair(lost))
    for (const { leader, asked } of groups.values()) {
      const lane = this.#connections.findIndex(
        (_, index) => !this.#busy.has(`${addressName(leader)} ${index}`),
      )
      if (lane >= 0) begun.push(this.#fetch(leader, lane, asked, waitMs))
    }
    await Promise.all(begun)
  }

  async #fetch(
    leader: BrokerAddress,
    lane: number,
    asked: readonly Followed[],
    waitMs: number,
  ): Promise<void> {
    const name = `${addressName(leader)} ${lane}`
    this.#busy.add(name)
    for (const followed of asked) followed.asked = true
    // As of now: a seek makes another object, but a result is told where it began.
    const positions = asked.map(({ topic, partition, offset }) => ({ topic, partition, offset }))
    try {
      const connection = await (this.#connections[lane] as Connections).to(leader)
      const answer = await connection.request(fetch, {
        waitMs,
        bytesMax: this.#bytesMax,
        partitionBytesMax: this.#partitionBytesMax,
        positions,
      })
      if (answer.code !== code.none) throw new NoAnswer('The broker could not fetch.', true)
      const repairs = this.#take(asked, answer.partitions)
      if (repairs.length > 0) void this.#repair(repairs)
      else this.#wentWell()
    } catch (error) {
      if (error instanceof NoAnswer) void this.#repair(asked, error)
      else for (const followed of asked) this.#fail(followed, error)
    } finally {
      this.#busy.delete(name)
      this.#events.ended()
    }
  }

  /** Returns the partitions whose leader has to be looked for. */
  #take(asked: readonly Followed[], answers: readonly FetchedPartition[]): Followed[] {
    const byPlace = new Map(asked.map((followed) => [`${followed.topic} ${followed.partition}`, followed]))
    const repairs: Followed[] = []
    for (const answer of answers) {
      const followed = byPlace.get(`${answer.topic} ${answer.partition}`)
      if (followed === undefined) continue
      byPlace.delete(`${answer.topic} ${answer.partition}`)
      if (answer.code === code.none) this.#accept(followed, answer)
      else if (answer.code === code.offsetOutOfRange) this.#question(this.#outOfRange(followed))
      else if (isRetriable(answer.code)) repairs.push(followed)
      else this.#fail(followed, brokerError(answer.code, `read ${followed.topic}-${followed.partition}`))
    }
    for (const followed of byPlace.values()) followed.asked = false
    return repairs
  }

  #accept(followed: Followed, { highWatermark, lastStableOffset, aborted, records }: FetchedPartition): void {
    const startOffset = followed.offset
    followed.committedEnd = Math.min(highWatermark, lastStableOffset)
    let committed
    try {
      committed = committedBatches(records, startOffset, aborted)
    } catch (error) {
      this.#fail(followed, error)
      return
    }
    const { batches, nextOffset } = committed
    if (nextOffset === startOffset) {
      followed.asked = false
      return
    }
    const byteLength = batches.reduce((sum, batch) => sum + batch.length, 0)
    this.#events.fetched({ followed, startOffset, nextOffset, highWatermark, batches, byteLength })
  }

  /** Says what the log holds; a position that fits after all (its leader had just changed) is asked for again. */
  async #outOfRange(followed: Followed): Promise<void> {
    const { topic, partition, offset } = followed
    try {
      const leader = this.#cluster.leader(followed)
      if (leader === undefined) throw new NoAnswer('It has no leader now.', false)
      const [start, end] = await Promise.all(
        (['start', 'highWatermark'] as const).map(async (which) => {
          const [listed] = await this.#cluster.to(leader, listOffsets, { end: which, partitions: [followed] })
          if (listed === undefined || listed.code !== code.none)
            throw new NoAnswer('Its leader has moved.', true)
          return listed.offset
        }),
      )
      if (start === undefined || end === undefined || (offset >= start && offset <= end)) {
        await this.#repair([followed])
        return
      }
      throw logError(
        'LOG_OFFSET_OUT_OF_RANGE',
        `Offset ${offset} of ${topic}-${partition} is outside of what the log holds, ${start} to ${end}. ` +
          'Decide where to read on.',
        { context: { topic, partition, offset, start, end } },
      )
    } catch (error) {
      if (error instanceof NoAnswer) await this.#repair([followed], error)
      else this.#fail(followed, error)
    }
  }

  /** Waits a little, longer each time, asks who leads now, and makes the partitions askable again. Never fails. */
  #repair(partitions: readonly Followed[], failure?: unknown): Promise<void> {
    for (const followed of partitions) followed.asked = true
    if (failure !== undefined) this.#note(failure)
    const repair = this.#lookForLeaders(partitions).finally(() => {
      this.#repairs.delete(repair)
      this.#events.ended()
    })
    this.#repairs.add(repair)
    if (partitions.some(({ topic }) => this.#cluster.known(topic) === undefined)) this.#question(repair)
    return repair
  }

  #question(asked: Promise<void>): void {
    const question = asked.finally(() => this.#questions.delete(question))
    this.#questions.add(question)
  }

  async #lookForLeaders(partitions: readonly Followed[]): Promise<void> {
    const topics = [...new Set(partitions.map(({ topic }) => topic))]
    const known = topics.filter((topic) => this.#cluster.known(topic) !== undefined)
    this.#cluster.metrics?.retried()
    if (known.length > 0) {
      const waitMs = Math.min(firstWaitMs * 2 ** this.#failures++, lastWaitMs)
      await this.#cluster.clock.sleep(waitMs, this.#stop.signal)
    }
    try {
      await this.#cluster.refresh(known)
      for (const topic of topics) await this.#cluster.topic(topic)
    } catch (error) {
      this.#note(error)
      for (const followed of partitions) {
        if (error instanceof NoAnswer) followed.asked = false
        else this.#fail(followed, error)
      }
      await this.#cluster.clock.sleep(firstWaitMs, this.#stop.signal)
      return
    }
    for (const followed of partitions) {
      const { topic, partition } = followed
      if (this.#cluster.known(topic)?.partitions[partition] === undefined)
        this.#fail(followed, unknownTopic(`${topic}-${partition}`))
      else followed.asked = false
    }
  }

  #note(failure: unknown): void {
    if (this.failure === undefined && !this.#stop.signal.aborted)
      this.#cluster.logger.warn({ error: failure }, 'reading from Kafka fails, trying again')
    this.failure = failure
  }

  #wentWell(): void {
    this.#failures = 0
    if (this.failure !== undefined) this.#cluster.logger.info({}, 'reading from Kafka goes on')
    this.failure = undefined
  }

  #fail(followed: Followed, error: unknown): void {
    followed.asked = false
    if (!this.#stop.signal.aborted) this.#events.failed(followed, error)
  }
}
