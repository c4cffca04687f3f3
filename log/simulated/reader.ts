import { FollowedPartitions } from '../followed-partitions.ts'
import type { FollowedPartition } from '../followed-partitions.ts'
import { logError } from '../index.ts'
import type { FetchedRecords, Reader, ReaderOptions, TopicPartition } from '../index.ts'
import { SinglePoll } from '../single-poll.ts'
import type { FetchedPartition } from './broker.ts'
import type { SimulatedLog } from './simulated-log.ts'

const interrupted = Symbol('interrupted')

export class SimulatedReader implements Reader {
  readonly #log: SimulatedLog
  readonly #partitionBytesMax: number
  readonly #pollBytesMax: number
  readonly #followed = new FollowedPartitions(() => this.#interrupt?.())
  readonly #polls = new SinglePoll()
  #woken = false
  #closed = false
  #interrupt: (() => void) | undefined

  constructor(log: SimulatedLog, options: ReaderOptions) {
    this.#log = log
    this.#partitionBytesMax = options.partitionBytesMax ?? 1 << 20
    this.#pollBytesMax = options.pollBytesMax ?? 8 << 20
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
    this.#interrupt?.()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#interrupt?.()
    await this.#polls.settled()
  }

  async #poll(waitMs: number): Promise<readonly FetchedRecords[]> {
    const { scheduler } = this.#log.broker
    const deadline = scheduler.now + waitMs
    try {
      for (let left = waitMs; ; left = deadline - scheduler.now) {
        this.#assertOpen()
        const asked = this.#followed.rotated()
        const reply = await this.#fetch(asked, this.#woken ? 0 : Math.max(left, 0))
        this.#assertOpen()
        const found = reply === interrupted ? [] : this.#followed.take(asked, reply)
        if (found.length > 0 || this.#woken || (reply !== interrupted && deadline - scheduler.now <= 0))
          return found
      }
    } finally {
      this.#woken = false
    }
  }

  async #fetch(
    positions: readonly FollowedPartition[],
    waitMs: number,
  ): Promise<readonly FetchedPartition[] | typeof interrupted> {
    const interruption = new Promise<typeof interrupted>((resolve) => {
      this.#interrupt = () => resolve(interrupted)
    })
    const request = {
      positions,
      partitionBytesMax: this.#partitionBytesMax,
      pollBytesMax: this.#pollBytesMax,
      waitMs,
    }
    const first = positions[0]
    const call = first === undefined ? { name: 'fetch' } : { name: 'fetch', topic: first.topic }
    const fetched = this.#log.call(call, () => this.#log.broker.fetch(request))
    try {
      return await Promise.race([fetched, interruption])
    } finally {
      this.#interrupt = undefined
      // Nobody waits for the answer to an interrupted fetch.
      fetched.catch(() => undefined)
    }
  }

  #assertOpen(): void {
    if (this.#closed) throw logError('LOG_CLOSED', 'This reader is closed. Make another one.')
  }
}
