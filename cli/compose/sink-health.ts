/** Whether the copies in SQL and Redis are kept up: claims are decided without them, so their end is not the program's. */
import { messageOf } from '#core'
import type { Clock, Logger } from '#core'
import type { ReadinessCheck } from '#gateway'

/** What the sink's thread says of each store, by name. */
type Ask = () => Promise<Readonly<Record<string, boolean>>>

/** PGlite holds the thread while it opens: nobody waits for that to hear how things are. */
const answerWaitMs = 100

export class SinkHealth {
  readonly #stores: readonly string[]
  readonly #clock: Clock
  readonly #logger: Logger
  #ask: Ask | undefined
  /** Until the thread has answered. */
  #asking: Promise<void> | undefined
  #said: Readonly<Record<string, boolean>> = {}
  #ended = false

  /** @param stores those that there are; each has a check of its own */
  constructor(
    stores: readonly string[],
    { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  ) {
    this.#stores = stores
    this.#clock = clock
    this.#logger = logger
  }

  get checks(): readonly ReadinessCheck[] {
    return this.#stores.map((name) => ({ name, isReady: () => this.#follows(name), required: false }))
  }

  /** From now on the thread is asked. */
  started(ask: Ask): void {
    this.#ask = ask
  }

  /** The thread has ended. Only the first error is told: what follows comes from it. */
  ended(error: unknown): void {
    if (this.#ended) return
    this.#ended = true
    this.#logger.error(
      { error: messageOf(error) },
      'The copies in SQL and Redis have stopped. Claims are still decided, and nothing is lost: correct what the ' +
        'error names, then start again, and the copies catch up from the log.',
    )
  }

  async #follows(store: string): Promise<boolean> {
    if (this.#ended || this.#ask === undefined) return false
    await (this.#asking ??= this.#begin(this.#ask))
    return this.#said[store] === true
  }

  /**
   * Resolves once the thread has answered or is late. While an answer is late it is neither asked again nor waited for:
   * each wait would leave something in memory until the answer comes.
   */
  #begin(ask: Ask): Promise<void> {
    const answered = new AbortController()
    void this.#refresh(ask).finally(() => {
      this.#asking = undefined
      answered.abort()
    })
    return this.#clock.sleep(answerWaitMs, answered.signal)
  }

  async #refresh(ask: Ask): Promise<void> {
    this.#said = await ask().catch(() => ({}))
  }
}
