import type { Clock } from '#core'

/**
 * Bounds a rate over time. Rows are taken before they are written; a batch larger than what has gathered goes into
 * debt, and the next one waits until it is paid. A quiet second is the most that can be saved up.
 */
export class TokenBucket {
  readonly #clock: Clock
  readonly #perSecond: number
  #tokens: number
  #asOf: number

  /** @param perSecond tokens a second; Infinity never waits */
  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock
    this.#perSecond = perSecond
    this.#tokens = perSecond
    this.#asOf = clock.now()
  }

  /** Waits until no debt is left, then takes `count`. Returns at once when `signal` aborts. */
  async take(count: number, signal?: AbortSignal): Promise<void> {
    if (this.#perSecond === Number.POSITIVE_INFINITY) return
    for (this.#gather(); this.#tokens < 0; this.#gather()) {
      if (signal?.aborted) return
      await this.#clock.sleep(Math.ceil((-this.#tokens / this.#perSecond) * 1000), signal)
    }
    this.#tokens -= count
  }

  #gather(): void {
    const now = this.#clock.now()
    // A clock that was set back must not take tokens away.
    const elapsedMs = Math.max(0, now - this.#asOf)
    this.#asOf = now
    this.#tokens = Math.min(this.#perSecond, this.#tokens + (elapsedMs / 1000) * this.#perSecond)
  }
}
