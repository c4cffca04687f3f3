/** Wakes once at a time that may be moved as often as needed. */
import type { Clock } from '#core'

export class Alarm {
  readonly #clock: Clock
  readonly #ring: () => void
  #at = Infinity
  #sleeping = new AbortController()

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock
    this.#ring = ring
  }

  /** @param at milliseconds since the epoch; Infinity: not at all. Replaces the time before. */
  set(at: number): void {
    if (at === this.#at) return
    this.#at = at
    this.#sleeping.abort()
    if (at === Infinity) return
    this.#sleeping = new AbortController()
    void this.#sleep(at, this.#sleeping.signal)
  }

  async #sleep(at: number, moved: AbortSignal): Promise<void> {
    // Timers of the platform go up to 2^31 ms and may be early; whoever is woken looks at the clock anyway.
    await this.#clock.sleep(Math.min(Math.max(0, at - this.#clock.now()), sleepMsMax), moved)
    if (moved.aborted) return
    this.#at = Infinity
    this.#ring()
  }
}

const sleepMsMax = 3_600_000
