/** Time that stands still until a test moves it. Yields are real. */
import { systemClock } from '#core'
import type { Clock } from '#core'

interface Sleeper {
  readonly until: number
  readonly wake: () => void
}

export class ManualClock implements Clock {
  #now: number
  #sleepers: readonly Sleeper[] = []

  /** @param now milliseconds since the epoch */
  constructor(now: number) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  yield(): Promise<void> {
    return systemClock.yield()
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#sleepers = this.#sleepers.filter((each) => each !== sleeper)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      const sleeper: Sleeper = { until: this.#now + ms, wake }
      this.#sleepers = [...this.#sleepers, sleeper]
      signal?.addEventListener('abort', wake, { once: true })
    })
  }

  /** Whoever slept until then or earlier is woken. */
  advance(ms: number): void {
    this.#now += ms
    for (const { until, wake } of this.#sleepers) if (until <= this.#now) wake()
  }
}
