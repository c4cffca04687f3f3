/** The gateway as a whole: what there is before the log, what comes with it, and how it ends. */
import type { Log, PartitionOffset, TopicDescription } from '#log'
import { messageOf } from '#core'
import type { RocksDatabase } from '#core'
import { createApp } from './app.ts'
import { HttpProblem } from './http/problem.ts'
import { operatorPermission } from './http/permission.ts'
import type { Gateway, GatewayOptions, Readiness } from './options.ts'
import { RequestMetrics } from './request-metrics.ts'
import { claimRoutes } from './routes/claims.ts'
import { couponRoutes } from './routes/coupons.ts'
import { healthRoutes } from './routes/health.ts'
import { userRoutes } from './routes/users.ts'
import { welcomeRoutes } from './routes/welcome.ts'
import type { Backend } from './services/backend.ts'
import { Claims } from './services/claims.ts'
import { KeysInFlight } from './services/keys-in-flight.ts'
import { Operators } from './services/operators.ts'
import { CommandReader } from './views/command-reader.ts'
import { CouponView } from './views/coupon-view.ts'
import { Follower } from './views/follower.ts'
import { ResultView } from './views/result-view.ts'
import { StatusLookUp } from './views/status-look-up.ts'
import { openViewDatabase } from './views/view-database.ts'
import { Waiters } from './views/waiters.ts'

const waitersMaxDefault = 100_000
const keysInFlightMax = 200_000
const topicsPauseMs = 100
const lookUpMsMax = 5000

interface Attached {
  readonly backend: Backend
  readonly claims: Claims
  readonly operators: Operators
  /** The ends of what is followed, as of start. */
  startEnds: readonly PartitionOffset[] | undefined
  caughtUp: boolean
}

export function createGateway(options: GatewayOptions): Gateway {
  const { clock, logger, metrics, topics } = options
  const requests = new RequestMetrics(metrics, clock)
  const instruments = instrumentsOf(options)
  const waiters = new Waiters(clock, options.waitersMax ?? waitersMaxDefault)
  const closing = new AbortController()
  let attached: Attached | undefined
  let attaching: Promise<void> | undefined
  let closed: Promise<void> | undefined

  const needed = (): Attached => {
    if (attached !== undefined && !closing.signal.aborted) return attached
    throw new HttpProblem('log-unavailable', { detail: 'The log is not open yet. Try again in a moment.' })
  }
  const ready = async (): Promise<Readiness> => {
    const checks: Record<string, boolean> = {
      log: attached !== undefined && !attached.backend.follower.stalled(),
      views: attached?.caughtUp === true,
    }
    let isReady = Object.values(checks).every(Boolean)
    for (const check of options.readinessChecks ?? []) {
      const holds = await check.isReady()
      checks[check.name] = holds
      if (check.required !== false && !holds) isReady = false
    }
    return { ready: isReady, checks }
  }

  const checkOperator = operatorPermission(options)
  const app = createApp(
    [
      ...claimRoutes({ claims: () => needed().claims, clock, onRefused: instruments.onRefused }),
      ...couponRoutes({
        operators: () => needed().operators,
        coupons: () => needed().backend.coupons,
        reads: options.reads,
        clock,
        checkOperator,
      }),
      ...userRoutes(options.reads),
      ...healthRoutes({
        ready,
        metricsText: () => {
          requests.flush()
          instruments.waiters.set(waiters.count)
          return options.metricsText()
        },
      }),
      ...welcomeRoutes(options),
    ],
    requests,
    logger,
  )

  const attach = async (log: Log): Promise<void> => {
    const descriptions = await topicsOf(log)
    if (descriptions === undefined) return
    const [issue, result, status] = descriptions
    const partitions = result.partitions
    const db = await openViewDatabase(
      options.viewDir,
      { clusterId: log.clusterId, topicIds: [issue.topicId, result.topicId, status.topicId] },
      logger,
    )
    try {
      follow(log, db, partitions)
    } catch (error) {
      await db.close()
      throw error
    }
  }

  const follow = (log: Log, db: RocksDatabase, partitions: number): void => {
    const coupons = new CouponView()
    const keys = new KeysInFlight(
      keysInFlightMax,
      (partition, offset) => results.decidedPosition(partition) > offset,
    )
    const results: ResultView = new ResultView(db, {
      partitions,
      coupons,
      waiters,
      clock,
      logger,
      resultRetentionMs: options.resultRetentionMs,
      idempotencyRetentionMs: options.idempotencyRetentionMs,
      onKeyed: (couponId, key, partition, offset) => keys.decided(couponId, key, partition, offset),
    })
    const follower = new Follower({
      log,
      topics,
      partitions,
      coupons,
      results,
      clock,
      logger,
      onLag: instruments.onLag,
    })
    const readStatusToEnd = async (): Promise<void> => {
      const given = new AbortController()
      const late = clock.sleep(lookUpMsMax, given.signal).then(() => {
        if (given.signal.aborted) return
        throw new HttpProblem('log-unavailable', {
          detail: 'The coupons could not be read. Try again in a moment.',
        })
      })
      try {
        await Promise.race([late, follower.statusEnds().then((ends) => follower.reached(ends))])
      } finally {
        given.abort()
      }
    }
    const backend: Backend = {
      log,
      topics,
      partitions,
      appender: log.appender(),
      coupons,
      results,
      waiters,
      keys,
      follower,
      lookUp: new StatusLookUp(readStatusToEnd, clock),
      commands: new CommandReader(log, topics.issue),
      onAppend: instruments.onAppend,
    }
    attached = {
      backend,
      claims: new Claims(backend, clock),
      operators: new Operators(backend),
      startEnds: undefined,
      caughtUp: false,
    }
    follower.start()
    void catchUp(attached)
  }

  /** The topics' descriptions once all three exist; undefined when the gateway closes before. */
  const topicsOf = async (
    log: Log,
  ): Promise<[issue: TopicDescription, result: TopicDescription, status: TopicDescription] | undefined> => {
    const names = [topics.issue, topics.result, topics.status]
    while (!closing.signal.aborted) {
      const found = await log.admin.describeTopics(names)
      const [issue, result, status] = names.map((name) => found.get(name))
      if (issue !== undefined && result !== undefined && status !== undefined) return [issue, result, status]
      await clock.sleep(topicsPauseMs, closing.signal)
    }
    return undefined
  }

  const catchUp = async (to: Attached): Promise<void> => {
    while (!closing.signal.aborted) {
      try {
        to.startEnds ??= await to.backend.follower.ends()
        await to.backend.follower.reached(to.startEnds)
        to.caughtUp = true
        return
      } catch (error) {
        logger.warn({ error: messageOf(error) }, 'The end of the log is not known yet; trying again.')
        await clock.sleep(topicsPauseMs * 5, closing.signal)
      }
    }
  }

  const close = async (): Promise<void> => {
    closing.abort()
    waiters.close()
    await attaching?.catch(() => {})
    if (attached === undefined) return
    const { backend } = attached
    await backend.follower.close()
    await backend.commands.close()
    await backend.appender.close()
    await backend.results.close()
  }

  const attachOnce = (log: Log): Promise<void> =>
    (attaching ??= attach(log).catch((error: unknown) => {
      // Whoever gave the log may try again.
      attaching = undefined
      throw error
    }))
  return {
    fetch: app.fetch,
    start: () => (options.log === undefined ? Promise.resolve() : attachOnce(options.log)),
    attach: attachOnce,
    ready,
    endWaits: () => waiters.close(),
    close: () => (closed ??= close()),
  }
}

function instrumentsOf({ metrics }: GatewayOptions) {
  const appends = metrics.counter({
    name: 'millrace_gateway_appends_total',
    help: 'Commands appended to the log',
    labels: ['outcome'],
  })
  const refusals = metrics.counter({
    name: 'millrace_gateway_gate_refusals_total',
    help: 'Claims refused by the gate, nothing written',
    labels: ['code'],
  })
  const lag = metrics.gauge({
    name: 'millrace_gateway_view_lag_records',
    help: 'Records of the log not yet in the views',
    labels: ['topic', 'partition'],
  })
  return {
    waiters: metrics.gauge({ name: 'millrace_gateway_waiters', help: 'Requests waiting for a decision' }),
    onAppend: (outcome: string) => appends.add(1, { outcome }),
    onRefused: (code: string) => refusals.add(1, { code }),
    onLag: (topic: string, partition: number, records: number) => lag.set(records, { topic, partition }),
  }
}
