/** The loop that keeps one store at the log's end: take a batch, apply it, again. */
import { isMillraceError } from '#core'
import type { Clock, Counter, Gauge, Histogram, Logger, Metrics } from '#core'
import type { Reader } from '#log'
import { sinkError } from './errors.ts'
import { Intake } from './intake.ts'
import { checkHistory, identify } from './log-identity.ts'
import type { LogIdentity, SinkLog } from './log-identity.ts'
import type { Store } from './store.ts'

/**
 * `waiting`: the store or the log is away. `refused`: as it is now, the store cannot be kept up (other rights, another
 * log, keys lost); it is tried again all the same. `stopped`: closed.
 */
export type FollowerState = 'starting' | 'catching-up' | 'following' | 'waiting' | 'refused' | 'stopped'

export interface FollowerOptions {
  readonly log: SinkLog
  readonly topic: string
  readonly store: Store
  readonly resultsMax: number
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  /** Exclusive end of what may be applied of a partition; left out: everything. */
  readonly limit?: (partition: number) => number
  /** Called after each move of the store. */
  readonly onMoved?: () => void
  /** Called once the store has all that the log held when this started. */
  readonly onCaughtUp: () => void
  /** Called when it is refused, each time it was not before. */
  readonly onRefused?: (error: Error) => void
}

const idleMs = 1000
const backoffMinMs = 100
const backoffMaxMs = 5000
/** What a human has to mend is asked for less often. */
const refusedMaxMs = 30_000
/** How often a store that stands still is asked where it stands: it may have been emptied, or put back to a backup. */
const lookEveryMs = 5000
/** Of two sinks at once one leads and the other looks in now and then, instead of both doing the same work. */
const conflictMinMs = 20
const conflictMaxMs = 1000
/** One poll's bytes are held parsed only batch by batch, so this bounds the memory of a follower. */
const readerLimits = { partitionBytesMax: 1024 * 1024, pollBytesMax: 4 * 1024 * 1024 }

export class Follower {
  readonly #options: FollowerOptions
  readonly #reader: Reader
  readonly #intake: Intake
  readonly #logger: Logger
  readonly #batchSeconds: Histogram
  readonly #conflicts: Counter
  readonly #up: Gauge
  #identity: LogIdentity | undefined
  /** Where the store stands, per partition. */
  #positions: readonly number[] = []
  /** Ends of the log as of start, until they are reached. */
  #goals: readonly number[] | undefined
  #caughtUp = false
  #state: FollowerState = 'starting'
  /** The trouble that was logged last; undefined while all is well. */
  #trouble: string | undefined
  #lookAt = 0
  #troubleSince = 0
  #backoffMs = backoffMinMs
  #conflictMs = conflictMinMs

  constructor(options: FollowerOptions) {
    this.#options = options
    const { log, topic, clock, logger, metrics, store } = options
    this.#reader = log.reader(readerLimits)
    this.#intake = new Intake(this.#reader, topic, clock)
    this.#logger = logger.child({ store: store.name })
    const labels = ['store']
    this.#batchSeconds = metrics.histogram({
      name: 'sink_batch_duration_seconds',
      help: 'Time to apply one batch of results to a store.',
      labels,
      buckets: [0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
    })
    this.#conflicts = metrics.counter({
      name: 'sink_conflicts_total',
      help: 'Batches given up because another sink had moved the store.',
      labels,
    })
    this.#up = metrics.gauge({
      name: 'sink_store_up',
      help: '1 while the store is kept up, 0 while it is away or after it was given up.',
      labels,
    })
  }

  get state(): FollowerState {
    return this.#state
  }

  /** The next offset the store will apply. */
  position(partition: number): number {
    return this.#positions[partition] ?? 0
  }

  get positions(): readonly number[] {
    return this.#positions
  }

  /** Looks at the limit again. */
  wakeup(): void {
    this.#reader.wakeup()
  }

  /** Runs until `stop` aborts; then the batch under way is finished, unless `cut` aborts too. Never rejects. */
  async run(stop: AbortSignal, cut: AbortSignal): Promise<void> {
    const wake = (): void => this.#reader.wakeup()
    stop.addEventListener('abort', wake)
    try {
      while (!stop.aborted) {
        try {
          await this.#turn(stop, cut)
        } catch (error) {
          if (stop.aborted) return
          await this.#waitOut(error, stop)
        }
      }
    } finally {
      this.#state = 'stopped'
      stop.removeEventListener('abort', wake)
      await this.#reader.close()
    }
  }

  async #turn(stop: AbortSignal, cut: AbortSignal): Promise<void> {
    const { store, limit, resultsMax, clock } = this.#options
    this.#identity ??= await this.#begin(cut)
    const batch = await this.#intake.take({
      resultsMax,
      lingerMs: store.lingerMs,
      idleMs,
      signal: stop,
      ...(limit === undefined ? {} : { limit }),
    })
    if (stop.aborted) return
    if (batch.steps.length > 0) {
      const startedAt = clock.now()
      if (!(await store.apply(batch, this.#identity, cut))) {
        this.#conflicts.add(1, { store: store.name })
        this.#identity = undefined
        await clock.sleep(this.#conflictMs, stop)
        this.#conflictMs = Math.min(this.#conflictMs * 2, conflictMaxMs)
        return
      }
      this.#batchSeconds.observe((clock.now() - startedAt) / 1000, { store: store.name })
      this.#conflictMs = conflictMinMs
      const positions = [...this.#positions]
      for (const { partition, to } of batch.steps) positions[partition] = to
      this.#positions = positions
      this.#options.onMoved?.()
      this.#lookAt = clock.now() + lookEveryMs
    } else if (clock.now() >= this.#lookAt) {
      await this.#look(this.#identity, cut)
    }
    this.#lookForGoals()
    await store.maintain(cut)
    // PGlite works without ever going through the event loop: whoever else lives in this thread needs a turn.
    await clock.yield()
  }

  /** Without a batch nothing would tell that the store is not any more where it was left. */
  async #look(identity: LogIdentity, cut: AbortSignal): Promise<void> {
    const { store, clock } = this.#options
    const stands = await store.positions(identity, cut)
    this.#lookAt = clock.now() + lookEveryMs
    if (stands.some((offset, partition) => offset !== this.position(partition))) this.#identity = undefined
  }

  /** Reads where the store stands and goes there; also the way back after any trouble. */
  async #begin(cut: AbortSignal): Promise<LogIdentity> {
    const { log, topic, store } = this.#options
    const identity = await identify(log, topic)
    const positions = await store.positions(identity, cut)
    const ends = await checkHistory(log, identity, positions, store.title)
    this.#goals ??= ends
    this.#intake.reset(positions)
    this.#positions = positions
    this.#lookAt = this.#options.clock.now() + lookEveryMs
    this.#options.onMoved?.()
    this.#allIsWell()
    this.#lookForGoals()
    return identity
  }

  #lookForGoals(): void {
    if (this.#caughtUp || this.#goals === undefined) return
    if (!this.#goals.every((goal, partition) => this.#intake.reached(partition) >= goal)) return
    this.#caughtUp = true
    this.#state = 'following'
    this.#options.onCaughtUp()
  }

  #allIsWell(): void {
    this.#backoffMs = backoffMinMs
    this.#state = this.#caughtUp ? 'following' : 'catching-up'
    this.#up.set(1, { store: this.#options.store.name })
    if (this.#trouble === undefined) return
    const awayMs = this.#options.clock.now() - this.#troubleSince
    this.#logger.info({ awayMs, code: this.#trouble }, 'sink.resumed')
    this.#trouble = undefined
  }

  async #waitOut(error: unknown, stop: AbortSignal): Promise<void> {
    const { clock } = this.#options
    // Whatever was taken may be lost or applied: the store itself says where to go on.
    this.#identity = undefined
    const passing = passes(error)
    this.#state = passing ? 'waiting' : 'refused'
    this.#tell(asFailure(error), passing)
    await clock.sleep(this.#backoffMs, stop)
    this.#backoffMs = Math.min(this.#backoffMs * 2, passing ? backoffMaxMs : refusedMaxMs)
  }

  /** Each trouble once. */
  #tell(error: Error, passing: boolean): void {
    const { clock, store, onRefused } = this.#options
    const code = isMillraceError(error) ? error.code : error.name
    if (this.#trouble === code) return
    if (this.#trouble === undefined) this.#troubleSince = clock.now()
    this.#trouble = code
    this.#up.set(0, { store: store.name })
    const told = { code, error: error.message }
    if (passing) {
      this.#logger.warn(told, 'sink.waiting')
      return
    }
    this.#logger.error(told, 'sink.refused')
    onRefused?.(error)
  }
}

/** Trouble that goes away without a human. An offset out of range is judged by the check of history. */
function passes(error: unknown): boolean {
  return isMillraceError(error) && (error.reaction === 'retry' || error.code === 'LOG_OFFSET_OUT_OF_RANGE')
}

function asFailure(error: unknown): Error {
  return error instanceof Error
    ? error
    : sinkError('SINK_STORE_REFUSED', `The sink failed: ${String(error)}`, { cause: error })
}
