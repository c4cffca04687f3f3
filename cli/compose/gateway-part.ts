/** The gateway as the composition makes it, alone or beside the other parts. */
import { createGateway } from '#gateway'
import type { CouponReads, Gateway, ReadinessCheck } from '#gateway'
import type { Metrics } from '#core'
import type { Log } from '#log'
import { isLoopback } from '../banner.ts'
import { openLog } from './log-access.ts'
import type { LogAccess } from './log-access.ts'
import { metricsText } from './metrics.ts'
import type { MetricsRegistry } from './metrics.ts'
import type { ProgramOptions } from './running-program.ts'
import { startFailed } from './start-failed.ts'
import { threadSnapshots } from './thread.ts'
import type { Thread } from './thread.ts'
import { topicNames } from './topics.ts'
import { untilReachable } from './until-reachable.ts'
import type { Patience } from './until-reachable.ts'

export interface GatewayPart {
  readonly reads: CouponReads
  readonly registry: MetricsRegistry
  /** Whose metrics are shown with the gateway's. */
  readonly threads: () => readonly Thread[]
  readonly readinessChecks: readonly ReadinessCheck[]
}

export function gatewayOf({ settings, clock, logger }: ProgramOptions, part: GatewayPart): Gateway {
  const { reads, registry, threads, readinessChecks } = part
  return createGateway({
    topics: topicNames(settings),
    viewDir: settings.viewDirectory,
    reads,
    clock,
    logger,
    metrics: registry.metrics,
    metricsText: async () => metricsText([await registry.snapshot(), ...(await threadSnapshots(threads()))]),
    adminToken: settings.adminToken,
    loopback: isLoopback(settings.host),
    advertisedUrl: settings.advertisedUrl,
    resultRetentionMs: settings.resultRetentionMs,
    idempotencyRetentionMs: settings.idempotencyRetentionMs,
    readinessChecks,
  })
}

/** Opens the log and lets the gateway follow it; waits for a log that is away. The log is the caller's to close. */
export async function attachLog(
  gateway: Gateway,
  access: LogAccess,
  { settings }: ProgramOptions,
  patience: Patience & { readonly metrics: Metrics },
): Promise<Log> {
  const log = await openLog(access, settings, patience)
  try {
    await untilReachable(() => gateway.attach(log), patience)
    return log
  } catch (error) {
    await log.close()
    throw startFailed(error, 'VIEW_DIR', settings)
  }
}
