import type { Clock } from '#core'

const firstWaitMs = 1
const lastWaitMs = 500

/** Waits between tries of one thing: short at first, doubling, never past its deadline. */
export class Backoff {
  readonly #clock: Clock
  readonly #deadline: number
  readonly #signal: AbortSignal | undefined
  readonly #onWait: (() => void) | undefined
  #waitMs = firstWaitMs

  /** @param onWait called for each try after the first */
  constructor(clock: Clock, withinMs: number, signal?: AbortSignal, onWait?: () => void) {
    this.#clock = clock
    this.#deadline = clock.now() + withinMs
    this.#signal = signal
    this.#onWait = onWait
  }

  get isOver(): boolean {
    return this.#signal?.aborted === true || this.#clock.now() >= this.#deadline
  }

  /** The next try comes at once; waits are short again afterwards. */
  restart(): void {
    this.#waitMs = 0
  }

  /** False when there is no time left for another try. */
  async wait(): Promise<boolean> {
    if (this.isOver) return false
    this.#onWait?.()
    const left = this.#deadline - this.#clock.now()
    await this.#clock.sleep(Math.min(this.#waitMs, left), this.#signal)
    this.#waitMs = Math.min(Math.max(this.#waitMs * 2, firstWaitMs), lastWaitMs)
    return this.#signal?.aborted !== true
  }
}
