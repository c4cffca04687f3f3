/** What every worker thread of the program does alike: logs, metrics, opening once, closing what it opened in order. */
import { workerData } from 'node:worker_threads'
import { serve, systemClock } from '#core'
import type { Metrics } from '#core'
import type { Settings } from '../settings.ts'
import { CloseStack } from './close-stack.ts'
import { createLogger } from './logger.ts'
import { createMetrics } from './metrics.ts'
import type { ThreadControl, ThreadData } from './thread-control.ts'
import type { Patience } from './until-reachable.ts'

export interface ThreadContext<Data> extends Patience {
  readonly data: Data
  readonly settings: Settings
  readonly metrics: Metrics
  /** Closed when the thread is told to stop. */
  readonly opened: CloseStack
  /** Reports what ended the work that was started. */
  readonly fail: (error: unknown) => void
}

export interface ThreadWork {
  open(): Promise<void>
  /** Resolves once what was opened works, or the signal aborts. */
  works(): Promise<void>
  checks(): Readonly<Record<string, boolean>>
}

/** Serves the thread's control until it is told to stop. @param name names the thread in log lines */
export function hostThread<Data extends ThreadData>(
  name: string,
  prepare: (context: ThreadContext<Data>) => ThreadWork,
): void {
  const data = workerData as Data
  const { settings, readableLogs, control } = data
  const logger = createLogger({ level: settings.logLevel, worker: name, readable: readableLogs })
  const registry = createMetrics({ processMetrics: false })
  const failure = Promise.withResolvers<void>()
  const waiting = Promise.withResolvers<void>()
  const halt = new AbortController()
  const opened = new CloseStack()
  const work = prepare({
    data,
    settings,
    clock: systemClock,
    logger,
    metrics: registry.metrics,
    opened,
    signal: halt.signal,
    onWaiting: waiting.resolve,
    fail: failure.reject,
  })

  let opening: Promise<void> | undefined
  let starting: Promise<void> | undefined
  let stopping: Promise<void> | undefined
  const open = (): Promise<void> => (opening ??= work.open())
  const start = async (): Promise<void> => {
    await open()
    await work.works()
  }
  const stop = async (): Promise<void> => {
    halt.abort()
    // What is half open is finished first, so that there is one list to close.
    await (starting ?? opening)?.catch(() => undefined)
    await opened.closeAll(logger)
  }
  const served: ThreadControl = {
    open: () => Promise.race([open(), waiting.promise]),
    start: () => (starting ??= start()),
    failure: () => failure.promise,
    checks: async () => work.checks(),
    metrics: () => registry.snapshot(),
    stop: () => (stopping ??= stop()),
  }
  serve(control, served)
}
