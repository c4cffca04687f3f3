import { logError } from './errors.ts'

/** One poll of a reader at a time: the guard that every driver's reader has. */
export class SinglePoll {
  #polling: Promise<unknown> | undefined

  /** Errors: LOG_INVALID_REQUEST while a poll is under way, and those of `poll`. */
  run<T>(poll: () => Promise<T>): Promise<T> {
    if (this.#polling !== undefined) {
      return Promise.reject(
        logError(
          'LOG_INVALID_REQUEST',
          'This reader is being polled. Wait for that call before the next one.',
        ),
      )
    }
    const polling = poll().finally(() => {
      this.#polling = undefined
    })
    this.#polling = polling
    return polling
  }

  /** Resolves when no poll is under way any more, however it ended. */
  async settled(): Promise<void> {
    await this.#polling?.catch(() => undefined)
  }
}
