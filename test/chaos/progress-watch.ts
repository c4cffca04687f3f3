/** Looks at the committed offsets again and again: how long did each partition stand still? */
import { systemClock } from '#core'
import { everyPartition } from '#log'
import type { PartitionOffset } from '#log'
import { partitions } from '../system/commands.ts'
import type { System } from '../system/system.ts'

const everyMs = 50
/** Standing still for longer is told. */
const longMs = 5000

export class ProgressWatch {
  readonly #system: System
  readonly #tell: (line: string) => void
  readonly #stop = new AbortController()
  readonly #moved = new Map<number, { readonly offset: number; readonly at: number }>()
  #counting = false
  #longestMs = 0
  #watching: Promise<void> | undefined

  constructor(system: System, tell: (line: string) => void) {
    this.#system = system
    this.#tell = tell
  }

  /** The longest time for which a partition stood still while there was load. */
  get longestMs(): number {
    return Math.round(this.#longestMs)
  }

  start(): void {
    this.#watching = this.#watch()
  }

  /** There is load on every partition from now on, and somebody to commit with, or not. */
  counts(counting: boolean): void {
    this.#counting = counting
    for (const [partition, { offset }] of this.#moved)
      this.#moved.set(partition, { offset, at: performance.now() })
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#watching
  }

  #watch(): Promise<void> {
    const { signal } = this.#stop
    const { topics, appId } = this.#system
    const inputs = everyPartition(topics.issue, partitions)
    return this.#system.withLog(async ({ admin }) => {
      while (!signal.aborted) {
        // A broker that is away may not be asked.
        const offsets = await admin.committedOffsets(appId, inputs, { requireStable: false }).catch(() => [])
        for (const { topic, partition, offset } of offsets)
          if (offset !== undefined) this.#saw({ topic, partition, offset })
        await systemClock.sleep(everyMs, signal)
      }
    })
  }

  #saw(place: PartitionOffset): void {
    const { partition, offset } = place
    const before = this.#moved.get(partition)
    if (before?.offset === offset) return
    const at = performance.now()
    if (before !== undefined && this.#counting) {
      const stillMs = at - before.at
      this.#longestMs = Math.max(this.#longestMs, stillMs)
      if (stillMs > longMs)
        this.#tell(`partition ${partition} goes on, after ${(stillMs / 1000).toFixed(1)} s without a commit`)
    }
    this.#moved.set(partition, { offset, at })
  }
}
