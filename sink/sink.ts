/**
 * The sink: results off the log into Postgres (or PGlite) and Redis, for others to read.
 *
 * Both stores are folds of `coupon-result`. The tables move with their offsets in one transaction, so any number of
 * sinks may run at once. Redis follows behind: it never shows a result whose transaction is not committed.
 * A store that is away is waited for, for any time, and so is one that needs a human: each by itself, while the other one
 * goes on.
 */
import type { Clock, Logger, Metrics } from '#core'
import type { CouponTopics } from '#domain/coupon'
import { sinkError } from './errors.ts'
import { Follower } from './follower.ts'
import type { FollowerState } from './follower.ts'
import type { SinkLog } from './log-identity.ts'
import type { RedisClient } from './redis/redis-client.ts'
import { RedisStore } from './redis/redis-store.ts'
import type { SqlDatabase } from './sql/database.ts'
import { SqlStore } from './sql/sql-store.ts'

export interface SinkOptions {
  readonly log: SinkLog
  readonly topics: Pick<CouponTopics, 'version' | 'result'>
  /** Stays the caller's: closed after the sink. */
  readonly sql: SqlDatabase
  /** Stays the caller's: closed after the sink. */
  readonly redis?: RedisClient
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  /** SINK_ROWS_PER_SECOND; default: no bound. */
  readonly rowsPerSecond?: number
  /** Most results in one transaction, default 5,000. */
  readonly batchResultsMax?: number
  /** How long rows of `claim_rejected` stay, milliseconds. */
  readonly rejectedRetentionMs: number
  /** How long `claim:{claimId}` stays in Redis after the decision, milliseconds. */
  readonly resultRetentionMs: number
}

export interface SinkPosition {
  readonly topic: string
  readonly partition: number
  /** Next offset of the tables. */
  readonly sql: number
  /** Next offset of Redis; absent without Redis. */
  readonly redis?: number
}

export interface SinkState {
  readonly sql: FollowerState
  readonly redis?: FollowerState
}

export interface Sink {
  /**
   * Resolves once the stores hold all that the log held at the start; stays pending while one is away or refused.
   * Rejects with the error when all are refused first, or with SINK_CLOSED when it is closed first.
   */
  readonly ready: Promise<void>
  /**
   * Resolves with the first error once no store can be kept up without a human. They are tried again all the same, so
   * whoever cannot tell anybody else goes on and is told by `state`.
   */
  readonly failed: Promise<Error>
  state(): SinkState
  /** As this sink knows them; another sink may be further. */
  positions(): SinkPosition[]
  /** Finishes the batch under way, for two seconds at most. Idempotent. */
  close(): Promise<void>
}

const closeGraceMs = 2000
const redisResultsMax = 1000

export function startSink(options: SinkOptions): Sink {
  return new RunningSink(options)
}

class RunningSink implements Sink {
  readonly ready: Promise<void>
  readonly failed: Promise<Error>
  readonly #clock: Clock
  readonly #topic: string
  readonly #sql: Follower
  readonly #redis: Follower | undefined
  readonly #stop = new AbortController()
  readonly #cut = new AbortController()
  readonly #ended: Promise<void>
  #closing: Promise<void> | undefined

  constructor(options: SinkOptions) {
    const { log, topics, sql, redis, clock, metrics, batchResultsMax = 5000, rowsPerSecond } = options
    const logger = options.logger.child({ topic: topics.result })
    this.#clock = clock
    this.#topic = topics.result
    const ready = Promise.withResolvers<void>()
    const failed = Promise.withResolvers<Error>()
    this.ready = ready.promise
    this.failed = failed.promise
    // Nobody has to wait for it.
    this.ready.catch(() => {})

    let behind = redis === undefined ? 1 : 2
    const onCaughtUp = (): void => {
      if (--behind === 0) ready.resolve()
    }
    const refused = new Map<'sql' | 'redis', Error>()
    const onRefused = (name: 'sql' | 'redis') => (error: Error) => {
      refused.set(name, error)
      const [first] = refused.values()
      const all = [this.#sql, this.#redis].every((one) => one === undefined || one.state === 'refused')
      if (!all || first === undefined) return
      failed.resolve(first)
      ready.reject(first)
    }
    const shared = { log, topic: topics.result, clock, logger, metrics, onCaughtUp }
    const topicVersion = topics.version
    this.#sql = new Follower({
      ...shared,
      resultsMax: Math.max(1, Math.min(batchResultsMax, rowsPerSecond ?? batchResultsMax)),
      store: new SqlStore({
        database: sql,
        topicVersion,
        clock,
        metrics,
        rowsPerSecond: rowsPerSecond ?? Number.POSITIVE_INFINITY,
        rejectedRetentionMs: options.rejectedRetentionMs,
      }),
      onMoved: () => this.#redis?.wakeup(),
      onRefused: onRefused('sql'),
    })
    if (redis !== undefined) {
      this.#redis = new Follower({
        ...shared,
        resultsMax: Math.min(batchResultsMax, redisResultsMax),
        store: new RedisStore({
          client: redis,
          topicVersion,
          clock,
          resultRetentionMs: options.resultRetentionMs,
        }),
        limit: (partition) => this.#sql.position(partition),
        onRefused: onRefused('redis'),
      })
    }

    const runAll = async (): Promise<void> => {
      const followers = [this.#sql, this.#redis].filter((follower) => follower !== undefined)
      await Promise.all(followers.map((follower) => follower.run(this.#stop.signal, this.#cut.signal)))
      ready.reject(sinkError('SINK_CLOSED', 'The sink was closed before it had caught up.'))
    }
    this.#ended = runAll()
  }

  state(): SinkState {
    const sql = this.#sql.state
    return this.#redis === undefined ? { sql } : { sql, redis: this.#redis.state }
  }

  positions(): SinkPosition[] {
    const redis = this.#redis
    return this.#sql.positions.map((sql, partition) => ({
      topic: this.#topic,
      partition,
      sql,
      ...(redis === undefined ? {} : { redis: redis.position(partition) }),
    }))
  }

  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    this.#stop.abort()
    const graceOver = new AbortController()
    const grace = this.#clock.sleep(closeGraceMs, graceOver.signal)
    await Promise.race([this.#ended, grace])
    graceOver.abort()
    this.#cut.abort()
    await this.#ended
  }
}
