/**
 * `millrace start`: every part in one process, and how they are joined.
 *
 * Main thread: HTTP gateway with its view. Engine threads: processor, and the embedded log if that is the one. Sink
 * thread: SQL and Redis. HTTP listens before anything else is opened, so a taken port is found before a directory is
 * touched, and `/livez` answers at once; the sink starts last, since nobody waits for it.
 */
import { MessageChannel } from 'node:worker_threads'
import { connect } from '#core'
import { serveHttp } from '#gateway'
import type { Log } from '#log'
import { lockPglite } from '#sink'
import type { CouponReads, PgliteLock } from '#sink'
import { localUrl } from '../banner.ts'
import type { Settings } from '../settings.ts'
import { attachLog, gatewayOf } from './gateway-part.ts'
import { LogAccesses, portsOf } from './log-access.ts'
import { createMetrics } from './metrics.ts'
import type { ProcessWork } from './process-work.ts'
import { runProgram } from './running-program.ts'
import type { ProgramOptions, RunningProgram } from './running-program.ts'
import { SinkHealth } from './sink-health.ts'
import { startFailed } from './start-failed.ts'
import { startEngine } from './stream-threads.ts'
import { startThread } from './thread.ts'
import type { Thread } from './thread.ts'

const sinkStopMsMax = 3000

/**
 * Resolves once it listens. A store that is not kept up is told in the log and by `/readyz` only, since claims are decided
 * without it. Errors: GATEWAY_PORT_TAKEN, GATEWAY_LISTEN_FAILED.
 */
export async function startProgram(options: ProgramOptions): Promise<RunningProgram> {
  const { settings, clock, logger, readableLogs } = options
  const registry = createMetrics({ processMetrics: true })
  let engine: ProcessWork | undefined
  let sink: Thread | undefined
  const threads = (): readonly Thread[] => [
    ...(engine?.threads() ?? []),
    ...(sink === undefined ? [] : [sink]),
  ]
  const reads = new MessageChannel()
  const stores = settings.redisUrl === undefined ? ['sql'] : ['sql', 'redis']
  const sinkHealth = new SinkHealth(stores, { clock, logger })
  let decides = false
  const gateway = gatewayOf(options, {
    reads: connect<CouponReads>(reads.port1),
    registry,
    threads,
    readinessChecks: [{ name: 'processor', isReady: () => decides }, ...sinkHealth.checks],
  })
  const http = await serveHttp(gateway, { host: settings.host, port: settings.port, clock }).catch(
    (error: unknown) => {
      // An open port keeps the process alive.
      reads.port1.close()
      throw error
    },
  )

  const logs = new LogAccesses(settings.logUrl)
  const gatewayLog = logs.another()
  const sinkLog = logs.another()
  const url = localUrl(settings.host, http.port)
  const decider = startEngine({ ...options, metrics: registry.metrics, logs: logs.served })
  engine = decider

  let log: Log | undefined
  let databaseLock: PgliteLock | undefined
  const startSink = async (signal: AbortSignal): Promise<void> => {
    const copier = startThread({
      name: 'sink',
      script: new URL('./sink-thread.ts', import.meta.url),
      data: { settings, readableLogs, log: sinkLog, reads: reads.port2 },
      ports: [...portsOf(sinkLog), reads.port2],
      // PGlite cannot be interrupted while it opens; its files are safe against it at any moment.
      stopGrace: { ms: sinkStopMsMax, clock },
    })
    sink = copier
    const sinkFailed = (error: unknown): void => {
      if (!signal.aborted) sinkHealth.ended(error)
    }
    copier.failure.catch(sinkFailed)
    sinkHealth.started(() => copier.control.checks())
    await copier.control.start().catch(sinkFailed)
  }
  return runProgram(
    { url, clock },
    async ({ signal, opened, readyWhen, fail }) => {
      decider.failure.catch(fail)
      const waiting = Promise.withResolvers<void>()
      const follow = async (): Promise<void> => {
        const { metrics } = registry
        const patience = { clock, logger, metrics, signal, onWaiting: waiting.resolve }
        log = await attachLog(gateway, gatewayLog, options, patience)
      }
      const following = follow()
      await Promise.all([Promise.race([following, waiting.promise]), decider.open()])
      databaseLock = await lockDatabase(settings)
      opened()
      await Promise.all([following, decider.start()])
      decides = true
      await readyWhen(async () => (await gateway.ready()).ready)
      if (!signal.aborted) await startSink(signal)
    },
    async (begun) => {
      await http.close()
      await gateway.close()
      await log?.close()
      await sink?.stop()
      await decider.stop()
      await begun
      await databaseLock?.release()
      reads.port1.close()
      logs.close()
    },
  )
}

/** Held here, not in the sink's thread: that one may be ended by force. */
async function lockDatabase(settings: Settings): Promise<PgliteLock | undefined> {
  const { databaseUrl } = settings
  if (databaseUrl.kind !== 'pglite') return undefined
  try {
    return await lockPglite(databaseUrl.directory)
  } catch (error) {
    throw startFailed(error, 'DATABASE_URL', settings)
  }
}
