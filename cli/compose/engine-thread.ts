/**
 * The engine's worker: the embedded log and the stream processor share it, since the log's writes block their
 * thread. Opens log, then processor; closes in the opposite order.
 */
import { workerData } from 'node:worker_threads'
import { isMillraceError, serve, systemClock } from '#core'
import { couponTopology } from '#domain/coupon'
import { EmbeddedBroker, openEmbeddedLog, serveEmbeddedBroker } from '#log/embedded'
import { startStreams } from '#processor'
import type { Streams } from '#processor'
import { CloseStack } from './close-stack.ts'
import { createLogger } from './logger.ts'
import { createMetrics } from './metrics.ts'
import { startFailed } from './start-failed.ts'
import type { DirectoryVariable } from './start-failed.ts'
import type { EngineThreadData, ThreadControl } from './thread-control.ts'
import { topicNames, topicSpecs } from './topics.ts'

const { settings, readableLogs, control, logs } = workerData as EngineThreadData
const logger = createLogger({ level: settings.logLevel, worker: 'engine', readable: readableLogs })
const registry = createMetrics({ processMetrics: false })
const { metrics } = registry
const clock = systemClock
const failure = Promise.withResolvers<void>()
const opened = new CloseStack()

let streams: Streams | undefined

async function open(): Promise<void> {
  const dir = settings.logUrl.directory
  const broker = await EmbeddedBroker.open({ dir, clock, logger, metrics }).catch(blaming('LOG_URL'))
  opened.push('log', () => broker.close())
  const log = await openEmbeddedLog(broker, { clock, logger })
  opened.push('log client', () => log.close())
  await log.admin.ensureTopics(topicSpecs(settings)).catch(blaming('LOG_URL'))
  for (const port of logs) serveEmbeddedBroker(broker, port)
  const { idempotencyRetentionMs } = settings
  const topology = couponTopology({ topics: topicNames(settings), idempotencyRetentionMs })
  const { appId, stateDirectory: stateDir } = settings
  const started = await startStreams({
    topology,
    log,
    appId,
    stateDir,
    clock,
    logger,
    metrics,
    exclusiveOutputs: true,
    deadLetterRetentionMs: settings.deadLetterRetentionMs,
  }).catch(blaming('STATE_DIR'))
  streams = started
  opened.push('processor', () => started.stop())
  void started.failed.then((error) => failure.reject(atWork(error)))
}

async function start(): Promise<void> {
  await (opening ??= open())
  while (streams?.state().ready !== true && !halt.signal.aborted) await clock.sleep(5)
}

function blaming(variable: DirectoryVariable): (error: unknown) => never {
  return (error) => {
    throw startFailed(error, variable, settings)
  }
}

/** Directories of tasks are opened while others work already; a failed write may be the log's as well. */
function atWork(error: Error): unknown {
  return isMillraceError(error, 'ROCKSDB_FAILED') ? error : startFailed(error, 'STATE_DIR', settings)
}

const halt = new AbortController()
let opening: Promise<void> | undefined
let starting: Promise<void> | undefined
let stopping: Promise<void> | undefined

const served: ThreadControl = {
  open: () => (opening ??= open()),
  start: () => (starting ??= start()),
  failure: () => failure.promise,
  metrics: () => registry.snapshot(),
  stop: () =>
    (stopping ??= (async () => {
      halt.abort()
      // What is half open is finished first, so that there is one list to close.
      await (starting ?? opening)?.catch(() => undefined)
      await opened.closeAll(logger)
      for (const port of logs) port.close()
    })()),
}
serve(control, served)
