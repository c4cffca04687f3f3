/**
 * A log in memory that behaves like Kafka's brokers, seen as one: transactions are open on the log, markers take
 * offsets, coordinators time out and fence, and nothing is durable before its fsync.
 */
import type { TopicPartition } from '../index.ts'
import { Durability } from './durability.ts'
import { GroupOffsets, unstableOffsets } from './group-offsets.ts'
import { Groups } from './groups.ts'
import { Network, brokerDown, calmWeather } from './network.ts'
import type { Weather } from './network.ts'
import type { PartitionRead, SimulatedPartition } from './partition.ts'
import { Actor } from './scheduler.ts'
import type { Scheduler } from './scheduler.ts'
import { SimulatedLog } from './simulated-log.ts'
import { Topics } from './topics.ts'
import { Transactions } from './transactions.ts'

/** How long a read of stable offsets waits for an undecided transaction, milliseconds. */
const stableWaitMs = 5_000

export interface FetchRequest {
  readonly positions: readonly (TopicPartition & { readonly offset: number })[]
  readonly partitionBytesMax: number
  readonly pollBytesMax: number
  readonly waitMs: number
}

export interface FetchedPartition extends PartitionRead {
  /** Into the request's positions. */
  readonly index: number
  readonly highWatermark: number
}

interface ParkedFetch {
  readonly request: FetchRequest
  readonly answer: (fetched: readonly FetchedPartition[]) => void
  readonly fail: (error: unknown) => void
}

export class SimulatedBroker {
  readonly clusterId = 'simulated-cluster'
  readonly scheduler: Scheduler
  readonly network: Network
  readonly durability: Durability
  readonly topics: Topics
  readonly offsets: GroupOffsets
  readonly transactions: Transactions
  readonly groups: Groups
  readonly #parked = new Set<ParkedFetch>()
  #clients = 0

  constructor(scheduler: Scheduler, weather: Weather = calmWeather) {
    this.scheduler = scheduler
    this.network = new Network(scheduler, weather)
    this.durability = new Durability(this.network)
    this.topics = new Topics(this.durability)
    this.offsets = new GroupOffsets(this.durability)
    this.transactions = new Transactions(this.network, this.durability, this.offsets)
    this.groups = new Groups(scheduler, (topic) => this.topics.describe(topic)?.partitions)
    this.durability.onSynced = () => this.#serveParked()
  }

  /** A client of a process; `actor` is that process, which may be killed or paused. */
  connect(actor = new Actor(`client-${this.#clients}`)): SimulatedLog {
    return new SimulatedLog(this, actor, ++this.#clients)
  }

  get now(): number {
    return Math.floor(this.scheduler.now)
  }

  /** Answers when one of the partitions has something new, or after `waitMs` with nothing. */
  fetch(request: FetchRequest): readonly FetchedPartition[] | Promise<readonly FetchedPartition[]> {
    const found = this.#read(request)
    if (found.length > 0 || request.waitMs <= 0) return found
    return new Promise((resolve, reject) => {
      const timer = this.scheduler.schedule(request.waitMs, undefined, 'fetch waited', () =>
        parked.answer([]),
      )
      const end = (): void => {
        timer.cancelled = true
        this.#parked.delete(parked)
      }
      const parked: ParkedFetch = {
        request,
        answer: (fetched) => {
          end()
          resolve(fetched)
        },
        fail: (error) => {
          end()
          reject(error)
        },
      }
      this.#parked.add(parked)
    })
  }

  /** Waits until no open transaction would commit an offset of the partitions. Errors: LOG_UNSTABLE_OFFSETS. */
  async stable(group: string, partitions: readonly TopicPartition[]): Promise<void> {
    const deadline = this.scheduler.now + stableWaitMs
    const { life } = this.network
    while (!this.offsets.isStable(group, partitions)) {
      if (this.scheduler.now >= deadline) throw unstableOffsets(group)
      const late = new Promise<void>((resolve) => {
        this.scheduler.schedule(deadline - this.scheduler.now, undefined, 'stable offsets waited', resolve)
      })
      await Promise.race([this.offsets.changed(), late])
      if (this.network.life !== life) throw brokerDown
    }
  }

  /**
   * The machine of the log loses power: what was not fsynced is gone, groups have lost their members, requests get no
   * answer until `start`. Returns how many changes were lost.
   */
  losePower(): number {
    this.#goDown()
    return this.durability.lose()
  }

  /** An orderly stop: everything is on disk. */
  stop(): void {
    this.durability.flush()
    this.#goDown()
  }

  start(): void {
    this.network.up = true
    this.transactions.recover()
  }

  /** Compacts the partitions of a compacted topic; returns how many records went. */
  compact(topic: string): number {
    if (this.topics.describe(topic)?.settings.cleanup !== 'compact') return 0
    return this.topics.partitionsOf(topic).reduce((sum, partition) => sum + partition.compact(this.now), 0)
  }

  #goDown(): void {
    this.network.up = false
    this.network.life++
    this.groups.forgetMembers()
    for (const parked of this.#parked) parked.fail(brokerDown)
  }

  #read({ positions, partitionBytesMax, pollBytesMax }: FetchRequest): FetchedPartition[] {
    const found: FetchedPartition[] = []
    let bytes = 0
    for (const [index, position] of positions.entries()) {
      const partition: SimulatedPartition = this.topics.partition(position)
      const left = pollBytesMax - bytes
      if (left <= 0) break
      const read = partition.read(position.offset, Math.min(partitionBytesMax, left))
      if (read.nextOffset === position.offset) continue
      bytes += read.batches.reduce((sum, batch) => sum + batch.length, 0)
      found.push({ index, ...read, highWatermark: partition.highWatermark })
    }
    return found
  }

  #serveParked(): void {
    for (const parked of this.#parked) {
      try {
        const found = this.#read(parked.request)
        if (found.length > 0) parked.answer(found)
      } catch (error) {
        parked.fail(error)
      }
    }
  }
}
