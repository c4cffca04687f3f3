/**
 * The stream threads of a process on Kafka. The main thread claims the state directory for all of them, supervises
 * them, and tells the group in the place of one that died.
 */
import type { MessagePort } from 'node:worker_threads'
import { isMillraceError, silentLogger } from '#core'
import type { Metrics } from '#core'
import type { Log } from '#log'
import { SharedPositions, claimStateDirectory, instanceIdOf } from '#processor'
import { rocksStorage } from '#state'
import type { ProcessWork } from './process-work.ts'
import { singleThread } from './process-work.ts'
import type { ProgramOptions } from './running-program.ts'
import { startFailed } from './start-failed.ts'
import { Supervisor } from './supervisor.ts'
import { startThread } from './thread.ts'
import type { Thread } from './thread.ts'
import type { EnginePlace } from './thread-control.ts'
import { untilReachable } from './until-reachable.ts'

export interface EngineOptions extends ProgramOptions {
  readonly metrics: Metrics
  /** The embedded log is served on each. */
  readonly logs: readonly MessagePort[]
}

/** The stream processor of this process. With the embedded log one thread, which owns the log too, so its end is the end. */
export function startEngine(options: EngineOptions): ProcessWork {
  const { kind } = options.settings.logUrl
  return kind === 'kafka' ? new StreamThreads(options) : singleThread(startEngineThread(options))
}

function startEngineThread(options: EngineOptions, place?: EnginePlace): Thread {
  const { settings, readableLogs, logs } = options
  return startThread({
    name: place === undefined || settings.threads === 1 ? 'engine' : `engine-${place.number}`,
    script: new URL('./engine-thread.ts', import.meta.url),
    data: { settings, readableLogs, logs, place },
    ports: place === undefined ? logs : [place.positions.port],
  })
}

class StreamThreads implements ProcessWork {
  readonly failure: Promise<never>
  readonly #options: EngineOptions
  readonly #failed = Promise.withResolvers<never>()
  readonly #stop = new AbortController()
  #supervisor: Supervisor | undefined
  /** For the funeral of a thread: nothing of its own is left to speak for it. */
  #log: Promise<Log> | undefined
  #opening: Promise<void> | undefined
  #release: (() => Promise<void>) | undefined
  #stopping: Promise<void> | undefined

  constructor(options: EngineOptions) {
    this.#options = options
    this.failure = this.#failed.promise
    // Who waits for it may come later.
    this.failure.catch(() => undefined)
  }

  threads(): readonly Thread[] {
    return this.#supervisor?.threads() ?? []
  }

  open(): Promise<void> {
    this.#opening ??= this.#open()
    return this.#opening
  }

  async start(): Promise<void> {
    await this.open()
    const started = this.#supervisor?.start()
    this.#log = this.#openLog()
    // A look at it comes with the first funeral.
    this.#log.catch(() => undefined)
    await started
  }

  async checks(): Promise<Readonly<Record<string, boolean>>> {
    return (await this.#supervisor?.checks()) ?? { thread: false }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#end()
    return this.#stopping
  }

  async #open(): Promise<void> {
    const { settings, clock, logger, metrics } = this.#options
    const { appId, stateDirectory, threads: count } = settings
    const identity = await claimStateDirectory(rocksStorage(), stateDirectory, appId).catch(
      (error: unknown) => {
        throw startFailed(error, 'STATE_DIR', settings)
      },
    )
    const { processId } = identity
    const shared = new SharedPositions(identity.positions, (error) =>
      this.#failed.reject(startFailed(error, 'STATE_DIR', settings)),
    )
    this.#release = async () => {
      shared.close()
      await identity.release()
    }
    if (this.#stop.signal.aborted) return
    const supervisor = new Supervisor({
      count,
      launch: (number) =>
        startEngineThread(this.#options, { number, processId, positions: shared.another() }),
      bury: async (number, signal) => {
        const log = await this.#log
        await log?.admin.removeMember(appId, instanceIdOf(appId, { processId, number }), signal)
      },
      clock,
      logger,
      metrics,
    })
    this.#supervisor = supervisor
    supervisor.failure.catch((error: unknown) => this.#failed.reject(error))
    await supervisor.open()
  }

  async #openLog(): Promise<Log> {
    const { settings, clock } = this.#options
    const { logUrl } = settings
    if (logUrl.kind !== 'kafka') throw new TypeError('only Kafka has stream threads that others outlive')
    const { openKafkaLog } = await import('#log/kafka')
    // The threads say by themselves when Kafka is away.
    const way = { clock, logger: silentLogger, signal: this.#stop.signal }
    return untilReachable(() => openKafkaLog({ url: logUrl.url, ...way }), way)
  }

  async #end(): Promise<void> {
    this.#stop.abort()
    const opened = this.#opening?.catch(() => undefined)
    if (this.#supervisor === undefined) await opened
    await this.#supervisor?.stop()
    await opened
    await this.#release?.()
    await this.#log?.then(
      (log) => log.close(),
      (error: unknown) => {
        if (!isMillraceError(error)) throw error
      },
    )
  }
}
