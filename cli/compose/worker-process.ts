/**
 * `millrace processor` and `millrace sink`: one worker thread that does the work, and the main thread that shows its
 * health, also while the work holds its thread.
 */
import { createHealth, serveHttp } from '#gateway'
import type { Readiness } from '#gateway'
import { localUrl } from '../banner.ts'
import { createMetrics, metricsText } from './metrics.ts'
import { runProgram } from './running-program.ts'
import type { ProgramOptions, RunningProgram } from './running-program.ts'
import { startThread, threadSnapshots } from './thread.ts'
import type { Thread, ThreadOptions } from './thread.ts'

/** Resolves once it listens. Errors: GATEWAY_PORT_TAKEN, GATEWAY_LISTEN_FAILED. */
async function startWorkerProcess(options: ProgramOptions, work: ThreadOptions): Promise<RunningProgram> {
  const { settings, clock, logger } = options
  const registry = createMetrics({ processMetrics: true })
  const threads: Thread[] = []
  const readiness = async (): Promise<Readiness> => {
    const checks = (await threads[0]?.control.checks().catch(() => undefined)) ?? { thread: false }
    return { ready: Object.values(checks).every(Boolean), checks }
  }
  const health = createHealth({
    ready: readiness,
    metrics: registry.metrics,
    metricsText: async () => metricsText([await registry.snapshot(), ...(await threadSnapshots(threads))]),
    clock,
    logger,
  })
  const http = await serveHttp(health, { host: settings.host, port: settings.port, clock })
  const thread = startThread(work)
  threads.push(thread)
  return runProgram(
    { url: localUrl(settings.host, http.port), clock },
    async (course) => {
      thread.failure.catch(course.fail)
      await thread.control.open()
      course.opened()
      await thread.control.start()
      await course.readyWhen(async () => (await readiness()).ready)
    },
    async (begun) => {
      await http.close()
      await thread.stop()
      await begun
    },
  )
}

export function startProcessorProcess(options: ProgramOptions): Promise<RunningProgram> {
  const { settings, readableLogs } = options
  const script = new URL('./engine-thread.ts', import.meta.url)
  const data = { settings, readableLogs, logs: [] }
  return startWorkerProcess(options, { name: 'engine', script, data, ports: [] })
}

export function startSinkProcess(options: ProgramOptions): Promise<RunningProgram> {
  const { settings, readableLogs } = options
  const script = new URL('./sink-thread.ts', import.meta.url)
  const data = { settings, readableLogs, log: settings.logUrl, reads: undefined }
  return startWorkerProcess(options, { name: 'sink', script, data, ports: [] })
}
