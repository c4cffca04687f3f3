/** Whether the copies in SQL and Redis are kept up: claims are decided without them, so their end is not the program's. */
import { MillraceError, messageOf } from '#core'
import type { Logger, Remote } from '#core'
import type { CouponReads } from '#sink'

export class SinkHealth {
  readonly #logger: Logger
  #state: 'starting' | 'working' | 'failed' = 'starting'

  constructor(logger: Logger) {
    this.#logger = logger
  }

  get works(): boolean {
    return this.#state === 'working'
  }

  started(): void {
    if (this.#state === 'starting') this.#state = 'working'
  }

  /** Only the first is told: what follows comes from it. */
  failed(error: unknown): void {
    if (this.#state === 'failed') return
    this.#state = 'failed'
    this.#logger.error(
      { error: messageOf(error) },
      'The copies in SQL and Redis have stopped. Claims are still decided, and nothing is lost: correct what the ' +
        'error names, then start again, and the copies catch up from the log.',
    )
  }

  /** The lists from SQL; not answered from tables that do not follow this log any more. */
  reads(remote: Remote<CouponReads>): CouponReads {
    return {
      winners: async (couponId, page) => this.#following(() => remote.winners(couponId, page)),
      userCoupons: async (userId, page) => this.#following(() => remote.userCoupons(userId, page)),
    }
  }

  async #following<T>(read: () => Promise<T>): Promise<T> {
    if (this.#state !== 'failed') return read()
    throw new MillraceError('SINK_STORE_UNAVAILABLE', 'The SQL copy has stopped; the log says why.', {
      domain: 'external',
      reaction: 'stop',
      retrySafe: true,
    })
  }
}
