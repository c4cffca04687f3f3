/** How far restoring a task has come: a log line each few seconds, and metrics. */
import type { Clock, Counter, Gauge, Logger, Metrics } from '#core'
import type { RestoreProgress } from '#state'

const lineMs = 5000

export interface RestoreInstruments {
  readonly remaining: Gauge
  /** By `role`: `active` for what is restored, else what is followed. */
  readonly records: Counter
}

export function restoreInstruments(metrics: Metrics): RestoreInstruments {
  return {
    remaining: metrics.gauge({
      name: 'streams_restore_remaining_records',
      help: 'Changelog offsets still to be read before the task may process.',
      labels: ['task', 'store'],
    }),
    records: metrics.counter({
      name: 'streams_restored_records_total',
      help: 'Changelog records applied to local state, by the role of the task.',
      labels: ['role'],
    }),
  }
}

interface RestoreReportOptions {
  readonly taskId: string
  readonly clock: Clock
  readonly logger: Logger
  readonly instruments: RestoreInstruments
}

export class RestoreReport {
  readonly #options: RestoreReportOptions
  readonly #stores = new Map<string, RestoreProgress>()
  readonly #startedAt: number
  #lineAt: number
  #records = 0
  #bytes = 0

  constructor(options: RestoreReportOptions) {
    this.#options = options
    this.#startedAt = options.clock.now()
    this.#lineAt = this.#startedAt
  }

  note(progress: RestoreProgress): void {
    const { taskId, clock, instruments } = this.#options
    const { store, position, target } = progress
    this.#stores.set(store, progress)
    this.#records += progress.records
    this.#bytes += progress.bytes
    instruments.remaining.set(Math.max(0, target - position), { task: taskId, store })
    instruments.records.add(progress.records, { role: 'active' })
    if (clock.now() - this.#lineAt >= lineMs) this.#tell('restoring task')
  }

  /** Says what it took, if there was anything to do. */
  done(): void {
    if (this.#records > 0) this.#tell('task restored')
  }

  /** Given up: what was left says nothing any more. */
  dropped(): void {
    const { taskId, instruments } = this.#options
    for (const store of this.#stores.keys()) instruments.remaining.set(0, { task: taskId, store })
  }

  #tell(message: string): void {
    const { taskId, clock, logger } = this.#options
    const now = clock.now()
    this.#lineAt = now
    let done = 0
    let whole = 0
    for (const { from, position, target } of this.#stores.values()) {
      done += Math.min(position, target) - from
      whole += target - from
    }
    const ms = now - this.#startedAt
    logger.info(
      {
        task: taskId,
        records: this.#records,
        bytes: this.#bytes,
        percent: Math.floor((100 * done) / Math.max(whole, 1)),
        recordsPerSecond: Math.round((1000 * this.#records) / Math.max(ms, 1)),
        ms,
      },
      message,
    )
  }
}
