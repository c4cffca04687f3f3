/**
 * The sink: results off the log into Postgres (or PGlite) and Redis, for others to read.
 *
 * Both stores are folds of `coupon-result`. The tables move with their offsets in one transaction, so any number of
 * sinks may run at once. Redis follows behind: it never shows a result whose transaction is not committed.
 * A store that is away is waited for, for any time; what no waiting mends stops the sink with an error.
 */
import type { Clock, Logger, Metrics } from '#core'
import type { CouponTopics } from '#domain/coupon'
import { sinkError } from './errors.ts'
import { Follower, asFailure } from './follower.ts'
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
   * Resolves once the stores hold all that the log held at the start; stays pending while one is away. Rejects when
   * the sink fails first, or with SINK_CLOSED when it is closed first.
   */
  readonly ready: Promise<void>
  /** Resolves with the error when the sink stops by itself; stays pending otherwise. Call `close` then. */
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
      })
    }

    const run = async (follower: Follower): Promise<void> => {
      try {
        await follower.run(this.#stop.signal, this.#cut.signal)
      } catch (error) {
        const failure = asFailure(error)
        logger.error({ error: failure.message }, 'sink.failed')
        failed.resolve(failure)
        ready.reject(failure)
        this.#stop.abort()
      }
    }
    const runAll = async (): Promise<void> => {
      await Promise.all([this.#sql, this.#redis].filter((follower) => follower !== undefined).map(run))
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
