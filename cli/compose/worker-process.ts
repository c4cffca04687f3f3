/**
 * `millrace processor` and `millrace sink`: threads that do the work, and the main thread that shows its health, also
 * while the work holds its threads.
 */
import type { Metrics } from '#core'
import { createHealth, serveHttp } from '#gateway'
import type { Readiness } from '#gateway'
import { localUrl } from '../banner.ts'
import type { ProcessKind } from '../process-kinds.ts'
import { createMetrics, metricsText } from './metrics.ts'
import { singleThread } from './process-work.ts'
import type { ProcessWork } from './process-work.ts'
import { runProgram } from './running-program.ts'
import type { ProgramOptions, RunningProgram } from './running-program.ts'
import { startEngine } from './stream-threads.ts'
import { startThread, threadSnapshots } from './thread.ts'

type StartWork = (metrics: Metrics) => ProcessWork

/** Resolves once it listens. Errors: GATEWAY_PORT_TAKEN, GATEWAY_LISTEN_FAILED. */
async function startWorkerProcess(
  kind: ProcessKind,
  options: ProgramOptions,
  startWork: StartWork,
): Promise<RunningProgram> {
  const { settings, clock, logger } = options
  const registry = createMetrics({ processMetrics: true })
  let work: ProcessWork | undefined
  const readiness = async (): Promise<Readiness> => {
    const checks = (await work?.checks()) ?? { thread: false }
    return { ready: Object.values(checks).every(Boolean), checks }
  }
  const health = createHealth({
    name: `Millrace ${kind}`,
    ready: readiness,
    metrics: registry.metrics,
    metricsText: async () =>
      metricsText([await registry.snapshot(), ...(await threadSnapshots(work?.threads() ?? []))]),
    clock,
    logger,
  })
  const http = await serveHttp(health, { host: settings.host, port: settings.port, clock })
  const started = startWork(registry.metrics)
  work = started
  return runProgram(
    { url: localUrl(settings.host, http.port), clock },
    async (course) => {
      started.failure.catch(course.fail)
      await started.open()
      course.opened()
      await started.start()
      await course.readyWhen(async () => (await readiness()).ready)
    },
    async (begun) => {
      await http.close()
      await started.stop()
      await begun
    },
  )
}

export function startProcessorProcess(options: ProgramOptions): Promise<RunningProgram> {
  return startWorkerProcess('processor', options, (metrics) => startEngine({ ...options, metrics, logs: [] }))
}

export function startSinkProcess(options: ProgramOptions): Promise<RunningProgram> {
  const { settings, readableLogs } = options
  const script = new URL('./sink-thread.ts', import.meta.url)
  const data = { settings, readableLogs, log: settings.logUrl, reads: undefined }
  return startWorkerProcess('sink', options, () =>
    singleThread(startThread({ name: 'sink', script, data, ports: [] })),
  )
}
