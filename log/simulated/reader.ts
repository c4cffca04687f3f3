import { FetchedRecords, logError } from '../index.ts'
import type { Reader, ReaderOptions, TopicPartition } from '../index.ts'
import type { FetchedPartition } from './broker.ts'
import type { SimulatedLog } from './simulated-log.ts'

/** Replaced with every change: an answer that was asked for with another one does not count. */
interface Followed extends TopicPartition {
  readonly offset: number
  readonly paused: boolean
}

const interrupted = Symbol('interrupted')

export class SimulatedReader implements Reader {
  readonly #log: SimulatedLog
  readonly #partitionBytesMax: number
  readonly #pollBytesMax: number
  readonly #followed = new Map<string, Followed>()
  #rotation = 0
  #woken = false
  #closed = false
  #polling: Promise<unknown> | undefined
  #interrupt: (() => void) | undefined

  constructor(log: SimulatedLog, options: ReaderOptions) {
    this.#log = log
    this.#partitionBytesMax = options.partitionBytesMax ?? 1 << 20
    this.#pollBytesMax = options.pollBytesMax ?? 8 << 20
  }

  seek({ topic, partition }: TopicPartition, offset: number): void {
    const name = nameOf({ topic, partition })
    this.#change(name, { topic, partition, offset, paused: this.#followed.get(name)?.paused ?? false })
  }

  remove(partition: TopicPartition): void {
    this.#change(nameOf(partition), undefined)
  }

  pause(partition: TopicPartition): void {
    this.#setPaused(nameOf(partition), true)
  }

  resume(partition: TopicPartition): void {
    this.#setPaused(nameOf(partition), false)
  }

  position(partition: TopicPartition): number | undefined {
    return this.#followed.get(nameOf(partition))?.offset
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
    this.#interrupt?.()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#interrupt?.()
    await this.#polling?.catch(() => undefined)
  }

  async #poll(waitMs: number): Promise<readonly FetchedRecords[]> {
    const { scheduler } = this.#log.broker
    const deadline = scheduler.now + waitMs
    try {
      for (let left = waitMs; ; left = deadline - scheduler.now) {
        this.#assertOpen()
        const asked = this.#rotated()
        const reply = await this.#fetch(asked, this.#woken ? 0 : Math.max(left, 0))
        this.#assertOpen()
        const found = reply === interrupted ? [] : this.#take(asked, reply)
        if (found.length > 0 || this.#woken || (reply !== interrupted && deadline - scheduler.now <= 0))
          return found
      }
    } finally {
      this.#woken = false
    }
  }

  async #fetch(
    positions: readonly Followed[],
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

  #take(asked: readonly Followed[], reply: readonly FetchedPartition[]): FetchedRecords[] {
    const taken: FetchedRecords[] = []
    for (const { index, nextOffset, highWatermark, batches } of reply) {
      const followed = asked[index] as Followed
      const name = nameOf(followed)
      if (this.#followed.get(name) !== followed) continue
      this.#followed.set(name, { ...followed, offset: nextOffset })
      const { topic, partition, offset: startOffset } = followed
      taken.push(new FetchedRecords({ topic, partition, startOffset, nextOffset, highWatermark, batches }))
    }
    return taken
  }

  /** What is not paused, beginning with another partition each time. */
  #rotated(): Followed[] {
    const active = [...this.#followed.values()].filter(({ paused }) => !paused)
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
    this.#interrupt?.()
  }

  #assertOpen(): void {
    if (this.#closed) throw logError('LOG_CLOSED', 'This reader is closed. Make another one.')
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}
