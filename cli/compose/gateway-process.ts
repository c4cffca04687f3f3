/** `millrace gateway`: HTTP on a log and a database that others write to. Any number of them may run at once. */
import { serveHttp } from '#gateway'
import { createCouponReads } from '#sink'
import { localUrl } from '../banner.ts'
import { CloseStack } from './close-stack.ts'
import { attachLog, gatewayOf } from './gateway-part.ts'
import { LogAccesses } from './log-access.ts'
import { createMetrics } from './metrics.ts'
import { openSql } from './open-sql.ts'
import { runProgram } from './running-program.ts'
import type { ProgramOptions, RunningProgram } from './running-program.ts'

/** Resolves once it listens. Errors: GATEWAY_PORT_TAKEN, GATEWAY_LISTEN_FAILED. */
export async function startGatewayProcess(options: ProgramOptions): Promise<RunningProgram> {
  const { settings, clock, logger } = options
  const opened = new CloseStack()
  const sql = openSql(settings, logger)
  opened.push('SQL', () => sql.close())
  const registry = createMetrics({ processMetrics: true })
  const gateway = gatewayOf(options, {
    reads: createCouponReads(sql),
    registry,
    threads: () => [],
    readinessChecks: [],
  })
  const http = await serveHttp(gateway, { host: settings.host, port: settings.port, clock })
  return runProgram(
    { url: localUrl(settings.host, http.port), clock },
    async (course) => {
      const { metrics } = registry
      const patience = { clock, logger, metrics, signal: course.signal, onWaiting: course.opened }
      const log = await attachLog(gateway, new LogAccesses(settings.logUrl).another(), options, patience)
      opened.push('log', () => log.close())
      course.opened()
      await course.readyWhen(async () => (await gateway.ready()).ready)
    },
    async (begun) => {
      await http.close()
      await gateway.close()
      await begun
      await opened.closeAll(logger)
    },
  )
}
