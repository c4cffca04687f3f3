import type { Clock } from '#core'

/** A clock that stands still until it is set; sleepers wake when their time has come. */
export class TestClock implements Clock {
  #now: number
  readonly #sleepers = new Set<{ readonly at: number; wake(): void }>()

  constructor(now = 1_700_000_000_000) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  set(now: number): void {
    this.#now = now
    for (const sleeper of this.#sleepers) if (sleeper.at <= now) sleeper.wake()
  }

  yield(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve))
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted || ms <= 0) return Promise.resolve()
    return new Promise((resolve) => {
      const sleeper = {
        at: this.#now + ms,
        wake: () => {
          this.#sleepers.delete(sleeper)
          resolve()
        },
      }
      this.#sleepers.add(sleeper)
      signal?.addEventListener('abort', sleeper.wake, { once: true })
    })
  }
}
