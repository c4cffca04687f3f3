/**
 * Keeps stream threads alive: one that dies (an exception that nobody caught, a bug of the engine) is replaced, and
 * has its work go to others at once. What a new thread would meet again, such as wrong settings, a full
 * disk or a successor, ends the process instead, and so do deaths that come too often.
 */
import { MillraceError, isMillraceError, messageOf, orAborted } from '#core'
import type { Clock, Counter, Logger, Metrics } from '#core'
import type { ProcessWork } from './process-work.ts'
import { threadEnded } from './thread.ts'
import type { Thread } from './thread.ts'

export interface SupervisorOptions {
  readonly count: number
  readonly launch: (number: number) => Thread
  /**
   * Frees what the dead thread had for others; rejects when that is not possible now. Once the signal is aborted it
   * must leave that alone: the next thread of this number has it.
   */
  readonly bury: (number: number, signal: AbortSignal) => Promise<void>
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/** So many deaths within this time are too many. */
const deathsMax = 5
const withinMs = 300_000
/** The first death in a while costs no wait, each further one so much more. */
const backoffMs = 500
/** How long a thread whose work has failed may take to close what it has open. */
const closeMs = 1000
/** The session runs out by itself when nobody can be told. */
const buryMs = 1000

export class Supervisor implements ProcessWork {
  readonly failure: Promise<never>
  readonly #options: SupervisorOptions
  readonly #logger: Logger
  readonly #replaced: Counter
  readonly #failed = Promise.withResolvers<never>()
  readonly #stop = new AbortController()
  readonly #slots: (Thread | undefined)[]
  /** When they were, the last ones. */
  readonly #deaths: number[] = []
  readonly #keeping: readonly Promise<void>[]
  #stopping: Promise<void> | undefined

  constructor(options: SupervisorOptions) {
    const { count, launch, logger, metrics } = options
    this.#options = options
    this.#logger = logger
    this.#replaced = metrics.counter({
      name: 'streams_threads_replaced_total',
      help: 'Stream threads that died and were replaced.',
    })
    this.failure = this.#failed.promise
    // Who waits for it may come later.
    this.failure.catch(() => undefined)
    const threads = Array.from({ length: count }, (_, number) => launch(number))
    this.#slots = [...threads]
    this.#keeping = threads.map((thread, number) => this.#keep(number, thread))
  }

  threads(): readonly Thread[] {
    return this.#slots.filter((thread) => thread !== undefined)
  }

  async open(): Promise<void> {
    await Promise.all(this.threads().map((thread) => thread.control.open().catch(unlessEnded)))
  }

  /** A thread that does not even start is replaced too, or its failure is that of all. */
  async start(): Promise<void> {
    await Promise.all(this.threads().map((thread) => thread.control.start().catch(() => undefined)))
  }

  async checks(): Promise<Readonly<Record<string, boolean>>> {
    const all = await Promise.all(
      this.#slots.map(async (thread) => await thread?.control.checks().catch(() => undefined)),
    )
    const names = new Set(all.flatMap((checks) => Object.keys(checks ?? {})))
    if (names.size === 0) return { thread: false }
    return Object.fromEntries(
      [...names].map((name) => [name, all.every((checks) => checks?.[name] === true)]),
    )
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#end()
    return this.#stopping
  }

  async #end(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.threads().map((thread) => thread.stop()))
    await Promise.all(this.#keeping)
  }

  /** One thread after the other in this place, until the process stops or gives up. */
  async #keep(number: number, first: Thread): Promise<void> {
    for (let thread = first; ;) {
      const error = await this.#deathOf(thread)
      if (this.#isStopping()) return
      this.#slots[number] = undefined
      const end = this.#whyGiveUp(error)
      if (end !== undefined) {
        this.#failed.reject(end)
        return
      }
      this.#logger.error({ error, thread: number }, 'stream thread died and is replaced')
      await this.#remove(number, thread)
      await this.#options.clock.sleep((this.#deaths.length - 1) * backoffMs, this.#stop.signal)
      if (this.#isStopping()) return
      thread = this.#options.launch(number)
      this.#slots[number] = thread
      this.#replaced.add()
    }
  }

  #deathOf(thread: Thread): Promise<unknown> {
    // A replacement that cannot open or start has failed as one that worked before.
    const failed = thread.failure.catch((error: unknown) => error)
    const refused = thread.control.start().then(
      () => failed,
      // A thread that is gone answers nothing; why it went, its failure tells.
      (error: unknown) => (threadEnded(error) ? failed : error),
    )
    return orAborted(this.#stop.signal, Promise.race([failed, refused]))
  }

  async #remove(number: number, thread: Thread): Promise<void> {
    await this.#within(closeMs, thread.stop())
    await thread.kill()
    const funeral = new AbortController()
    await this.#within(
      buryMs,
      this.#options.bury(number, funeral.signal).catch((error: unknown) => {
        this.#logger.warn(
          { error: messageOf(error), thread: number },
          'the group could not be told of a dead stream thread; it notices when the session runs out',
        )
      }),
    )
    funeral.abort()
  }

  async #within(ms: number, work: Promise<void>): Promise<void> {
    const done = new AbortController()
    await Promise.race([work.finally(() => done.abort()), this.#options.clock.sleep(ms, done.signal)])
    done.abort()
  }

  /** Undefined: a new thread may do better. */
  #whyGiveUp(error: unknown): unknown {
    if (isMillraceError(error) && error.domain !== 'internal') return error
    const now = this.#options.clock.now()
    this.#deaths.push(now)
    while ((this.#deaths[0] ?? now) < now - withinMs) this.#deaths.shift()
    if (this.#deaths.length < deathsMax) return undefined
    return new MillraceError(
      'CLI_THREAD_FAILED',
      `Stream threads died ${deathsMax} times within ${withinMs / 60_000} minutes, the last one like this: ` +
        `${messageOf(error)} Nothing acknowledged is lost; the log says how each died.`,
      { domain: 'internal', reaction: 'stop', retrySafe: true, cause: error },
    )
  }

  #isStopping(): boolean {
    return this.#stop.signal.aborted
  }
}

/** What has ended it, is dealt with where it is kept. */
function unlessEnded(error: unknown): void {
  if (!threadEnded(error)) throw error
}
