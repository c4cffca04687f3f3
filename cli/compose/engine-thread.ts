/**
 * The engine's worker: the embedded log and the stream processor share it, since the log's writes block their
 * thread. Opens log, then processor; closes in the opposite order.
 */
import { workerData } from 'node:worker_threads'
import { serve, systemClock } from '#core'
import { couponTopology } from '#domain/coupon'
import { EmbeddedBroker, openEmbeddedLog, serveEmbeddedBroker } from '#log/embedded'
import { startStreams } from '#processor'
import type { Streams } from '#processor'
import { CloseStack } from './close-stack.ts'
import { createLogger } from './logger.ts'
import { createMetrics } from './metrics.ts'
import type { EngineThreadData, ThreadControl } from './thread-control.ts'
import { topicNames, topicSpecs } from './topics.ts'

const { settings, readableLogs, control, logs } = workerData as EngineThreadData
const logger = createLogger({ level: settings.logLevel, worker: 'engine', readable: readableLogs })
const registry = createMetrics({ processMetrics: false })
const { metrics } = registry
const clock = systemClock
const failure = Promise.withResolvers<void>()
const opened = new CloseStack()

async function start(): Promise<void> {
  const broker = await EmbeddedBroker.open({ dir: settings.logUrl.directory, clock, logger, metrics })
  opened.push('log', () => broker.close())
  const log = await openEmbeddedLog(broker, { clock, logger })
  opened.push('log client', () => log.close())
  await log.admin.ensureTopics(topicSpecs(settings))
  for (const port of logs) serveEmbeddedBroker(broker, port)
  const { idempotencyRetentionMs } = settings
  const topology = couponTopology({ topics: topicNames(settings), idempotencyRetentionMs })
  const { appId, stateDirectory: stateDir } = settings
  const streams: Streams = await startStreams({ topology, log, appId, stateDir, clock, logger, metrics })
  opened.push('processor', () => streams.stop())
  void streams.failed.then((error) => failure.reject(error))
  while (!streams.state().ready && !halt.signal.aborted) await clock.sleep(5)
}

const halt = new AbortController()
let starting: Promise<void> | undefined
let stopping: Promise<void> | undefined

const served: ThreadControl = {
  start: () => (starting ??= start()),
  failure: () => failure.promise,
  metrics: () => registry.snapshot(),
  stop: () =>
    (stopping ??= (async () => {
      halt.abort()
      // What is half open is finished first, so that there is one list to close.
      await starting?.catch(() => undefined)
      await opened.closeAll(logger)
      for (const port of logs) port.close()
    })()),
}
serve(control, served)
