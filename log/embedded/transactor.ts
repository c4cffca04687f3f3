import { isMillraceError } from '#core'
import { logError } from '../index.ts'
import type { TransactionOutcome, TransactionRequest, Transactor } from '../index.ts'
import type { BatchTarget, BrokerApi } from './broker-api.ts'
import { fittingBatches } from '../fitting-batches.ts'
import type { TopicDirectory } from './topic-directory.ts'

type Failure = Exclude<TransactionOutcome, { kind: 'committed' }>

export class EmbeddedTransactor implements Transactor {
  readonly transactionalId: string
  readonly #broker: BrokerApi
  readonly #topics: TopicDirectory
  readonly #epoch: number
  readonly #onClosed: (transactor: EmbeddedTransactor) => void
  /** For each append of the open transaction: the index of its last batch. */
  #lastBatches: readonly number[] = []
  #deciding: Promise<unknown> | undefined
  #closed = false

  constructor(options: {
    readonly transactionalId: string
    readonly broker: BrokerApi
    readonly topics: TopicDirectory
    readonly epoch: number
    readonly onClosed: (transactor: EmbeddedTransactor) => void
  }) {
    this.transactionalId = options.transactionalId
    this.#broker = options.broker
    this.#topics = options.topics
    this.#epoch = options.epoch
    this.#onClosed = options.onClosed
  }

  async prepare({ appends, group, offsets }: TransactionRequest): Promise<Failure | undefined> {
    try {
      this.#assertOpen()
      const targets: BatchTarget[] = []
      const batches: Buffer[] = []
      const lastBatches: number[] = []
      for (const { topic, partition, records } of appends) {
        const { topicId, settings } = await this.#topics.lookUp(topic)
        for (const batch of fittingBatches(records, settings.maxMessageBytes, topic)) {
          targets.push({ topicId, partition })
          batches.push(batch)
        }
        lastBatches.push(targets.length - 1)
      }
      const data = Buffer.allocUnsafeSlow(batches.reduce((sum, batch) => sum + batch.length, 0))
      let at = 0
      for (const batch of batches) {
        data.set(batch, at)
        at += batch.length
      }
      const { transactionalId } = this
      await this.#broker.prepare({ transactionalId, epoch: this.#epoch, group, offsets, targets, data })
      this.#lastBatches = lastBatches
      return undefined
    } catch (error) {
      if (isMillraceError(error, 'LOG_UNKNOWN_TOPIC'))
        for (const { topic } of appends) this.#topics.forget(topic)
      return failureOf(error)
    }
  }

  async commit(): Promise<TransactionOutcome> {
    try {
      this.#assertOpen()
      const decided = this.#broker.commit(this.transactionalId, this.#epoch)
      this.#deciding = decided.catch(() => undefined)
      const ends = await decided
      return { kind: 'committed', endOffsets: this.#lastBatches.map((index) => ends[index] as number) }
    } catch (error) {
      return isMillraceError(error, 'RPC_CLOSED') ? { kind: 'unknown', error } : failureOf(error)
    }
  }

  async abort(): Promise<void> {
    this.#assertOpen()
    await this.#broker.abort(this.transactionalId, this.#epoch)
  }

  /** Aborts what is open, after a commit under way is decided. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#deciding
    // A broker that is gone has aborted it already.
    await this.#broker.endTransactor(this.transactionalId, this.#epoch).catch(() => undefined)
    this.#onClosed(this)
  }

  #assertOpen(): void {
    if (this.#closed)
      throw logError('LOG_CLOSED', `Transactor ${this.transactionalId} is closed. Make another one.`)
  }
}

/** The broker's errors as outcomes: only a write that failed midway leaves the outcome open. */
function failureOf(thrown: unknown): Failure {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  if (isMillraceError(error, 'LOG_FENCED')) return { kind: 'fenced', error }
  if (isMillraceError(error, 'LOG_APPEND_UNKNOWN')) return { kind: 'unknown', error }
  return { kind: 'aborted', error }
}
