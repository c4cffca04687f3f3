/** What a gateway is made of and what it gives. */
import type { Clock, Logger, Metrics } from '#core'
import type { Log } from '#log'
import type { CouponTopics } from '#domain/coupon'

/**
 * What the gateway reads from the sink's store; the composition root hands in the implementation.
 * Errors: SINK_STORE_UNAVAILABLE, answered as 503 `store-unavailable`. Times are milliseconds since the epoch.
 */
export interface CouponReads {
  /** Pieces held now, by ascending sequence; `after` is exclusive. `next`: the `after` of the next page, if any. */
  winners(
    couponId: string,
    page: { readonly after?: number; readonly limit: number },
  ): Promise<{ readonly items: readonly Winner[]; readonly next?: number }>
  userCoupons(
    userId: string,
    page: { readonly cursor?: string; readonly limit: number },
  ): Promise<{ readonly items: readonly UserCoupon[]; readonly nextCursor?: string }>
}

export interface Winner {
  readonly claimId: string
  readonly userId: string
  readonly sequence: number
  readonly issuedAt: number
}

export interface UserCoupon {
  readonly couponId: string
  readonly name: string | null
  readonly sequence: number
  readonly issuedAt: number
}

export interface ReadinessCheck {
  readonly name: string
  isReady(): boolean | Promise<boolean>
  /** Default true. False: shown only, since claims are decided without it. */
  readonly required?: boolean
}

export interface GatewayOptions {
  /** May come later, by `attach`; until then what needs it answers 503 `log-unavailable`. */
  readonly log?: Log
  readonly topics: CouponTopics
  /**
   * A directory of the gateway's own. Disposable: of another log, or unreadable, it is deleted and built again, but only
   * where a gateway made it.
   */
  readonly viewDir: string
  readonly reads: CouponReads
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly metricsText: () => Promise<{ readonly contentType: string; readonly body: string }>
  readonly adminToken?: string | undefined
  /** Whether the server listens on loopback only: without a token operators' calls are open just then. */
  readonly loopback: boolean
  readonly advertisedUrl?: string | undefined
  readonly resultRetentionMs: number
  readonly idempotencyRetentionMs: number
  /** Further conditions of /readyz. */
  readonly readinessChecks?: readonly ReadinessCheck[]
  /** Requests that may wait for a decision at once. Default 100,000. */
  readonly waitersMax?: number
}

export interface Readiness {
  readonly ready: boolean
  readonly checks: Readonly<Record<string, boolean>>
}

export interface Gateway {
  /** Answers one request; never throws. `env` is what the server passes along. */
  readonly fetch: (request: Request, env?: object) => Response | Promise<Response>
  /** Attaches the log of the options, if there is one. */
  start(): Promise<void>
  /**
   * Follows the log: resolves once following has begun, not once the views have caught up (see `ready`). Waits for
   * topics that do not exist yet.
   * Errors: LOG_UNAVAILABLE; for good ROCKSDB_LOCKED (another gateway has `viewDir`), DIRECTORY_FOREIGN (it holds
   * something that is no view; nothing was touched), DIRECTORY_FAILED.
   */
  attach(log: Log): Promise<void>
  /** Log reachable; views at the log's end as of start; the further checks. */
  ready(): Promise<Readiness>
  /** Answers all who wait with what is known now; later waits end at once. For an orderly stop. */
  endWaits(): void
  /** Stops following and closes the view; the log stays open, it is the caller's. Idempotent. */
  close(): Promise<void>
}
