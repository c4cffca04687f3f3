/**
 * `millrace processor` and `millrace sink`: one worker thread that does the work, and the main thread that shows its
 * health, also while the work holds its thread.
 */
import { createHealth, serveHttp } from '#gateway'
import type { Readiness } from '#gateway'
import { localUrl } from '../banner.ts'
import { createMetrics, metricsText } from './metrics.ts'
import { readyPollMs } from './running-program.ts'
import type { ProgramOptions, RunningProgram } from './running-program.ts'
import { startThread, threadEnded, threadSnapshots } from './thread.ts'
import type { Thread } from './thread.ts'

/** Resolves once it listens. Errors: GATEWAY_PORT_TAKEN, GATEWAY_LISTEN_FAILED. */
async function startWorkerProcess(
  { settings, clock, logger }: ProgramOptions,
  start: () => Thread,
): Promise<RunningProgram> {
  const registry = createMetrics({ processMetrics: true })
  let thread: Thread | undefined
  const readiness = async (): Promise<Readiness> => {
    const checks = (await thread?.control.checks().catch(() => undefined)) ?? { thread: false }
    return { ready: Object.values(checks).every(Boolean), checks }
  }
  const health = createHealth({
    ready: readiness,
    metrics: registry.metrics,
    metricsText: async () =>
      metricsText([
        await registry.snapshot(),
        ...(await threadSnapshots(thread === undefined ? [] : [thread])),
      ]),
    clock,
    logger,
  })
  const http = await serveHttp(health, { host: settings.host, port: settings.port, clock })
  const running = start()
  thread = running

  const opened = Promise.withResolvers<void>()
  const ready = Promise.withResolvers<void>()
  const failed = Promise.withResolvers<never>()
  const stopping = new AbortController()
  const begin = async (): Promise<void> => {
    await running.control.open()
    opened.resolve()
    await running.control.start()
    while (!stopping.signal.aborted && !(await readiness()).ready) await clock.sleep(readyPollMs)
    if (!stopping.signal.aborted) ready.resolve()
  }
  running.failure.catch((error: unknown) => failed.reject(error))
  const begun = begin().catch((error: unknown) => {
    if (!stopping.signal.aborted && !threadEnded(error)) failed.reject(error)
  })

  let stopped: Promise<void> | undefined
  const stop = async (): Promise<void> => {
    stopping.abort()
    await http.close()
    await running.stop()
    await begun
  }
  return {
    url: localUrl(settings.host, http.port),
    opened: opened.promise,
    ready: ready.promise,
    failure: failed.promise,
    stop: () => (stopped ??= stop()),
  }
}

export function startProcessorProcess(options: ProgramOptions): Promise<RunningProgram> {
  const { settings, readableLogs } = options
  const script = new URL('./engine-thread.ts', import.meta.url)
  return startWorkerProcess(options, () =>
    startThread({ name: 'engine', script, data: { settings, readableLogs, logs: [] }, ports: [] }),
  )
}

export function startSinkProcess(options: ProgramOptions): Promise<RunningProgram> {
  const { settings, readableLogs } = options
  const script = new URL('./sink-thread.ts', import.meta.url)
  const data = { settings, readableLogs, log: settings.logUrl, reads: undefined }
  return startWorkerProcess(options, () => startThread({ name: 'sink', script, data, ports: [] }))
}
