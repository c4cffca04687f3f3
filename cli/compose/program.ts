/**
 * The composition root: which parts there are, on which threads, and how they are joined.
 *
 * Main thread: HTTP gateway with its view. Engine thread: embedded log and processor. Sink thread: SQL and Redis.
 * HTTP listens before anything else is opened, so a taken port is found before a directory is touched, and `/livez`
 * answers at once; the sink starts last, since nobody waits for it.
 */
import { MessageChannel } from 'node:worker_threads'
import { connect } from '#core'
import type { Clock, Logger } from '#core'
import { createGateway, serveHttp } from '#gateway'
import type { Log } from '#log'
import { openEmbeddedLog } from '#log/embedded'
import { lockPglite } from '#sink'
import type { CouponReads, PgliteLock } from '#sink'
import { localUrl } from '../banner.ts'
import type { Settings } from '../settings.ts'
import { createMetrics, metricsText } from './metrics.ts'
import type { MetricsSnapshot } from './metrics.ts'
import { SinkHealth } from './sink-health.ts'
import { startFailed } from './start-failed.ts'
import { startThread, threadEnded } from './thread.ts'
import type { Thread } from './thread.ts'
import { topicNames } from './topics.ts'

export interface RunningProgram {
  /** Where it listens, as seen from this machine. */
  readonly url: string
  /** Resolves once every directory is this process's, so that nothing of the surroundings can stop it any more. */
  readonly opened: Promise<void>
  /** Resolves once claims are decided and every view is up to date. */
  readonly ready: Promise<void>
  /** Rejects when the engine or the gateway fails. A sink that fails is told in the log and by `/readyz` only. */
  readonly failure: Promise<never>
  /** Stops accepting, finishes what was accepted, closes everything in order. */
  stop(): Promise<void>
}

export interface ProgramOptions {
  readonly settings: Settings
  readonly clock: Clock
  readonly logger: Logger
  /** Log lines of the other threads for humans instead of JSON. */
  readonly readableLogs: boolean
}

const readyPollMs = 10
const sinkStopMsMax = 3000

/** Resolves once it listens. Errors: GATEWAY_PORT_TAKEN, GATEWAY_LISTEN_FAILED. */
export async function startProgram(options: ProgramOptions): Promise<RunningProgram> {
  const { settings, clock, logger, readableLogs } = options
  const registry = createMetrics({ processMetrics: true })
  const threads: Thread[] = []
  const reads = new MessageChannel()
  const sinkHealth = new SinkHealth(logger)
  let decides = false
  const gateway = createGateway({
    topics: topicNames(settings),
    viewDir: settings.viewDirectory,
    reads: sinkHealth.reads(connect<CouponReads>(reads.port1)),
    clock,
    logger,
    metrics: registry.metrics,
    metricsText: async () => metricsText([await registry.snapshot(), ...(await threadSnapshots(threads))]),
    adminToken: settings.adminToken,
    loopback: isLoopback(settings.host),
    advertisedUrl: settings.advertisedUrl,
    resultRetentionMs: settings.resultRetentionMs,
    idempotencyRetentionMs: settings.idempotencyRetentionMs,
    readinessChecks: [
      { name: 'processor', isReady: () => decides },
      { name: 'sink', isReady: () => sinkHealth.works, required: false },
    ],
  })
  const http = await serveHttp(gateway, { host: settings.host, port: settings.port, clock }).catch(
    (error: unknown) => {
      // An open port keeps the process alive.
      reads.port1.close()
      throw error
    },
  )

  const gatewayLog = new MessageChannel()
  const sinkLog = new MessageChannel()
  const engine = startThread({
    name: 'engine',
    script: new URL('./engine-thread.ts', import.meta.url),
    data: { settings, readableLogs, logs: [gatewayLog.port2, sinkLog.port2] },
    ports: [gatewayLog.port2, sinkLog.port2],
  })
  threads.push(engine)

  const opened = Promise.withResolvers<void>()
  const ready = Promise.withResolvers<void>()
  const failed = Promise.withResolvers<never>()
  const stopping = new AbortController()
  let log: Log | undefined
  let databaseLock: PgliteLock | undefined
  const follow = async (): Promise<void> => {
    log = await openEmbeddedLog(gatewayLog.port1, { clock, logger })
    await gateway.attach(log).catch((error: unknown) => {
      throw startFailed(error, 'VIEW_DIR', settings)
    })
  }
  // Held here, not in the sink's thread: that one may be ended by force.
  const lockDatabase = async (): Promise<void> => {
    const { databaseUrl } = settings
    if (databaseUrl.kind !== 'pglite') return
    try {
      databaseLock = await lockPglite(databaseUrl.directory)
    } catch (error) {
      throw startFailed(error, 'DATABASE_URL', settings)
    }
  }
  const begin = async (): Promise<void> => {
    await Promise.all([follow(), engine.control.open()])
    await lockDatabase()
    opened.resolve()
    await engine.control.start()
    decides = true
    while (!stopping.signal.aborted && !(await gateway.ready()).ready) await clock.sleep(readyPollMs)
    if (stopping.signal.aborted) return
    ready.resolve()
    const sink = startThread({
      name: 'sink',
      script: new URL('./sink-thread.ts', import.meta.url),
      data: { settings, readableLogs, log: sinkLog.port1, reads: reads.port2 },
      ports: [sinkLog.port1, reads.port2],
      // PGlite cannot be interrupted while it opens; its files are safe against it at any moment.
      stopGrace: { ms: sinkStopMsMax, clock },
    })
    threads.push(sink)
    const sinkFailed = (error: unknown): void => {
      if (!stopping.signal.aborted) sinkHealth.failed(error)
    }
    sink.failure.catch(sinkFailed)
    await sink.control.start().then(() => sinkHealth.started(), sinkFailed)
  }

  engine.failure.catch((error: unknown) => failed.reject(error))
  const begun = begin().catch((error: unknown) => {
    if (!stopping.signal.aborted && !threadEnded(error)) failed.reject(error)
  })

  let stopped: Promise<void> | undefined
  const stop = async (): Promise<void> => {
    stopping.abort()
    await http.close()
    await gateway.close()
    await log?.close()
    for (const thread of threads.toReversed()) await thread.stop()
    await begun
    await databaseLock?.release()
    reads.port1.close()
    gatewayLog.port1.close()
    sinkLog.port1.close()
  }
  return {
    url: localUrl(settings.host, http.port),
    opened: opened.promise,
    ready: ready.promise,
    failure: failed.promise,
    stop: () => (stopped ??= stop()),
  }
}

/** Of the threads that are up. */
async function threadSnapshots(threads: readonly Thread[]): Promise<MetricsSnapshot[]> {
  const answers = await Promise.allSettled(threads.map((thread) => thread.control.metrics()))
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}
