/** Appends records with random keys and values to `data`, as fast as it is told, until it is told to stop. */
import { SeededRandom, systemClock } from '#core'
import type { Log } from '#log'

const keys = 20_000
const valueMax = 10_000
const tickMs = 10

export class Input {
  /** For each partition the offset after the last acknowledged record. */
  readonly ends = new Map<number, number>()
  appended = 0
  readonly #log: Log
  readonly #topic: string
  readonly #random: SeededRandom
  readonly #perTick: number
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined

  constructor(options: {
    readonly log: Log
    readonly topic: string
    readonly seed: number
    readonly perSecond: number
  }) {
    this.#log = options.log
    this.#topic = options.topic
    this.#random = new SeededRandom(options.seed)
    this.#perTick = Math.max(1, Math.round((options.perSecond * tickMs) / 1000))
  }

  start(): void {
    this.#running ??= this.#run()
    // What goes wrong, `stop` tells.
    this.#running.catch(() => undefined)
  }

  /** Resolves once everything is acknowledged, or rejects with why it is not. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const appender = this.#log.appender()
    while (!this.#stop.signal.aborted) {
      const appends = Array.from({ length: this.#perTick }, () =>
        appender.append({
          topic: this.#topic,
          key: String(this.#random.integer(0, keys)),
          value: String(this.#random.integer(0, valueMax)),
        }),
      )
      for (const { partition, offset } of await Promise.all(appends)) {
        this.appended++
        this.ends.set(partition, Math.max(this.ends.get(partition) ?? 0, offset + 1))
      }
      await systemClock.sleep(tickMs, this.#stop.signal)
    }
    await appender.close()
  }
}
