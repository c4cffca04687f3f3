/** `millrace gateway`: HTTP on a log and a database that others write to. Any number of them may run at once. */
import { serveHttp } from '#gateway'
import { createCouponReads } from '#sink'
import { localUrl } from '../banner.ts'
import { CloseStack } from './close-stack.ts'
import { attachLog, gatewayOf } from './gateway-part.ts'
import { LogAccesses } from './log-access.ts'
import { createMetrics } from './metrics.ts'
import { openSql } from './open-sql.ts'
import { readyPollMs } from './running-program.ts'
import type { ProgramOptions, RunningProgram } from './running-program.ts'

/** Resolves once it listens. Errors: GATEWAY_PORT_TAKEN, GATEWAY_LISTEN_FAILED. */
export async function startGatewayProcess(options: ProgramOptions): Promise<RunningProgram> {
  const { settings, clock, logger } = options
  const parts = new CloseStack()
  const sql = openSql(settings, logger)
  parts.push('SQL', () => sql.close())
  const gateway = gatewayOf(options, {
    reads: createCouponReads(sql),
    registry: createMetrics({ processMetrics: true }),
    threads: [],
    readinessChecks: [],
  })
  const http = await serveHttp(gateway, { host: settings.host, port: settings.port, clock })

  const opened = Promise.withResolvers<void>()
  const ready = Promise.withResolvers<void>()
  const failed = Promise.withResolvers<never>()
  const stopping = new AbortController()
  const { signal } = stopping
  const begin = async (): Promise<void> => {
    const patience = { clock, logger, signal, onWaiting: opened.resolve }
    const log = await attachLog(gateway, new LogAccesses(settings.logUrl).another(), options, patience)
    parts.push('log', () => log.close())
    opened.resolve()
    while (!signal.aborted && !(await gateway.ready()).ready) await clock.sleep(readyPollMs)
    if (!signal.aborted) ready.resolve()
  }
  const begun = begin().catch((error: unknown) => {
    if (!signal.aborted) failed.reject(error)
  })

  let stopped: Promise<void> | undefined
  const stop = async (): Promise<void> => {
    stopping.abort()
    await http.close()
    await gateway.close()
    await begun
    await parts.closeAll(logger)
  }
  return {
    url: localUrl(settings.host, http.port),
    opened: opened.promise,
    ready: ready.promise,
    failure: failed.promise,
    stop: () => (stopped ??= stop()),
  }
}
