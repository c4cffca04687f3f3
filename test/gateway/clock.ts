import { systemClock } from '#core'
import type { Clock } from '#core'

interface Sleeper {
  readonly until: number
  readonly wake: () => void
}

/** Real time that a test can move on; who sleeps wakes up when the time moved past his sleep. */
export class MovableClock implements Clock {
  #ahead = 0
  readonly #sleepers = new Set<Sleeper>()

  now(): number {
    return systemClock.now() + this.#ahead
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const moved = new AbortController()
    const sleeper = { until: this.now() + ms, wake: () => moved.abort() }
    this.#sleepers.add(sleeper)
    const early = signal === undefined ? moved.signal : AbortSignal.any([moved.signal, signal])
    await systemClock.sleep(ms, early)
    this.#sleepers.delete(sleeper)
  }

  yield(): Promise<void> {
    return systemClock.yield()
  }

  advance(ms: number): void {
    this.#ahead += ms
    const now = this.now()
    for (const sleeper of this.#sleepers) if (sleeper.until <= now) sleeper.wake()
  }
}
