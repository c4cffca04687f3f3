/**
 * The turns of restoring and of following changelogs, beside tasks that run: at once while those have nothing to do,
 * else one slice after each wait, so that they keep most of the thread and nobody starves.
 */
import type { Clock } from '#core'

/** A slice is a write of up to 1 MiB: 5 to 20 ms. */
const waitMs = 50

export class BackgroundTurns {
  readonly #clock: Clock
  readonly #isBusy: () => boolean
  #quiet = new AbortController()

  /** @param isBusy whether tasks that run have something to compute */
  constructor(clock: Clock, isBusy: () => boolean) {
    this.#clock = clock
    this.#isBusy = isBusy
  }

  /** Waits for the next turn, or until `signal` aborts. */
  async next(signal: AbortSignal): Promise<void> {
    await this.#clock.yield()
    if (signal.aborted || !this.#isBusy()) return
    const given = new AbortController()
    const give = (): void => given.abort()
    const sources = [signal, this.#quiet.signal]
    for (const source of sources) source.addEventListener('abort', give, { once: true })
    await this.#clock.sleep(waitMs, given.signal)
    for (const source of sources) source.removeEventListener('abort', give)
  }

  /** Tasks that run have nothing to compute now. */
  quiet(): void {
    this.#quiet.abort()
    this.#quiet = new AbortController()
  }
}
