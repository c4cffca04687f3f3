/** The sink's worker: results off the log into SQL and Redis, and the gateway's reads of the SQL database. */
import { workerData } from 'node:worker_threads'
import { serve, systemClock } from '#core'
import { openEmbeddedLog } from '#log/embedded'
import { createCouponReads, openRedis, openSqlDatabase, startSink } from '#sink'
import { CloseStack } from './close-stack.ts'
import { createLogger } from './logger.ts'
import { createMetrics } from './metrics.ts'
import type { SinkThreadData, ThreadControl } from './thread-control.ts'
import { yieldToOthers } from './thread-priority.ts'
import { topicNames } from './topics.ts'

const { settings, readableLogs, control, log: logPort, reads } = workerData as SinkThreadData
const logger = createLogger({ level: settings.logLevel, worker: 'sink', readable: readableLogs })
const registry = createMetrics({ processMetrics: false })
const { metrics } = registry
const clock = systemClock
const failure = Promise.withResolvers<void>()
const opened = new CloseStack()

/** With two cores the sink would take every third slice from the gateway and the engine under load. */
yieldToOthers(10)

async function open(): Promise<void> {
  const { databaseUrl, redisUrl } = settings
  const sql = openSqlDatabase(
    databaseUrl.kind === 'pglite' ? `pglite:${databaseUrl.directory}` : databaseUrl.url,
    { connections: settings.sinkConnections, logger },
  )
  opened.push('SQL', () => sql.close())
  serve(reads, createCouponReads(sql))
  const redis = redisUrl === undefined ? undefined : openRedis(redisUrl)
  if (redis !== undefined) opened.push('Redis', () => redis.close())
  const log = await openEmbeddedLog(logPort, { clock, logger })
  opened.push('log client', () => log.close())
  const sink = startSink({
    log,
    topics: topicNames(settings),
    sql,
    clock,
    logger,
    metrics,
    rejectedRetentionMs: settings.rejectedRetentionMs,
    resultRetentionMs: settings.resultRetentionMs,
    ...(redis === undefined ? {} : { redis }),
    ...(settings.sinkRowsPerSecond === undefined ? {} : { rowsPerSecond: settings.sinkRowsPerSecond }),
  })
  opened.push('sink', () => sink.close())
  void sink.failed.then((error) => failure.reject(error))
}

let opening: Promise<void> | undefined
let stopping: Promise<void> | undefined

const served: ThreadControl = {
  open: () => (opening ??= open()),
  start: () => (opening ??= open()),
  failure: () => failure.promise,
  metrics: () => registry.snapshot(),
  stop: () =>
    (stopping ??= (async () => {
      await opening?.catch(() => undefined)
      await opened.closeAll(logger)
      logPort.close()
      reads.close()
    })()),
}
serve(control, served)
