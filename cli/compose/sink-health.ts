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
    this.#asking ??= this.#refresh(this.#ask).finally(() => {
      this.#asking = undefined
    })
    const answered = new AbortController()
    await Promise.race([this.#asking, this.#clock.sleep(answerWaitMs, answered.signal)])
    answered.abort()
    return this.#said[store] === true
  }

  async #refresh(ask: Ask): Promise<void> {
    this.#said = await ask().catch(() => ({}))
  }
}
