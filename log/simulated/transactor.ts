import { isMillraceError } from '#core'
import { logError } from '../index.ts'
import type { TransactionOutcome, TransactionRequest, Transactor } from '../index.ts'
import { fittingBatches } from '../fitting-batches.ts'
import { isNoAnswer } from './network.ts'
import type { SimulatedLog } from './simulated-log.ts'
import type { Producer } from './transactions.ts'

type Failure = Exclude<TransactionOutcome, { kind: 'committed' }>

export class SimulatedTransactor implements Transactor {
  readonly transactionalId: string
  readonly #log: SimulatedLog
  #producer: Producer
  #open = false
  #deciding: Promise<unknown> | undefined
  #closed = false
  /** For each append of the open transaction: the offset after its last record. */
  endOffsets: readonly number[] = []

  constructor(log: SimulatedLog, transactionalId: string, producer: Producer) {
    this.#log = log
    this.transactionalId = transactionalId
    this.#producer = producer
  }

  async prepare(request: TransactionRequest): Promise<Failure | undefined> {
    try {
      this.#assertOpen()
      if (this.#open)
        throw invalid(`${this.transactionalId} has an open transaction. Commit or abort it first.`)
      if (request.offsets.length === 0) {
        throw invalid('A transaction needs at least one offset: without, the group does not fence it.')
      }
      this.#open = true
      this.endOffsets = await this.#produce(request)
      await this.#addOffsets(request)
      return undefined
    } catch (error) {
      return failureOf(error)
    }
  }

  async commit(): Promise<TransactionOutcome> {
    try {
      this.#assertOpen()
      if (!this.#open) throw invalid(`${this.transactionalId} has nothing prepared to commit.`)
      await this.#end(true)
      return { kind: 'committed', endOffsets: this.endOffsets }
    } catch (error) {
      const failure = failureOf(error)
      if (failure.kind === 'fenced') this.#open = false
      // The broker may have written the decision down before its answer was lost.
      return isNoAnswer(error) ? { ...failure, kind: 'unknown' } : failure
    }
  }

  async abort(): Promise<void> {
    this.#assertOpen()
    if (this.#open) await this.#end(false)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#deciding
    // Without an answer, the next holder of the id or the time-out aborts it.
    if (this.#open) await this.#end(false).catch(() => undefined)
  }

  /** Partitions at once, each in order: they answer in any order. */
  async #produce({ appends }: TransactionRequest): Promise<number[]> {
    const { broker } = this.#log
    const encoded: {
      readonly topic: string
      readonly partition: number
      readonly batches: readonly Buffer[]
    }[] = []
    for (const { topic, partition, records } of appends) {
      const { settings } = await this.#log.describe(topic)
      // Copied: an answer may come when the builder is used again.
      const batches = fittingBatches(records, settings.maxMessageBytes, topic).map((batch) =>
        Buffer.from(batch),
      )
      encoded.push({ topic, partition, batches })
    }
    const ends = encoded.map(() => 0)
    const lanes = new Map<string, Promise<void>>()
    for (const [index, { topic, partition, batches }] of encoded.entries()) {
      const request = this.#log.nextRequest()
      const { transactionalId: id } = this
      const producer = this.#producer
      const send = async (): Promise<void> => {
        ends[index] = await this.#log.retrying({ name: 'produce', topic, partition }, () =>
          broker.transactions.append(
            id,
            producer,
            broker.topics.partition({ topic, partition }),
            batches,
            request,
          ),
        )
      }
      const lane = `${topic}/${partition}`
      lanes.set(lane, (lanes.get(lane) ?? Promise.resolve()).then(send))
    }
    const results = await Promise.allSettled(lanes.values())
    for (const result of results) if (result.status === 'rejected') throw result.reason
    return ends
  }

  #addOffsets({ group, offsets }: TransactionRequest): Promise<void> {
    const { broker } = this.#log
    const producer = this.#producer
    return this.#log.retrying({ name: 'add offsets', topic: 'offsets' }, async () => {
      for (const place of offsets) broker.topics.partition(place)
      broker.groups.check(group)
      await broker.transactions.addOffsets(this.transactionalId, producer, group.group, offsets)
    })
  }

  async #end(commit: boolean): Promise<void> {
    const name = commit ? 'commit' : 'abort'
    // As of now: a request that arrives late speaks for the epoch it was sent in.
    const producer = this.#producer
    const deciding = this.#log.retrying({ name }, () =>
      this.#log.broker.transactions.end(this.transactionalId, producer, commit),
    )
    this.#deciding = deciding.catch(() => undefined)
    this.#producer = await deciding
    this.#open = false
  }

  #assertOpen(): void {
    if (this.#closed)
      throw logError('LOG_CLOSED', `Transactor ${this.transactionalId} is closed. Make another one.`)
  }
}

function invalid(message: string): Error {
  return logError('LOG_INVALID_REQUEST', message)
}

function failureOf(thrown: unknown): Failure {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  if (!isMillraceError(error, 'LOG_FENCED')) return { kind: 'aborted', error }
  // Aborted by the coordinator's time-out: nobody else has the id, but it has to be taken over to go on.
  return { kind: error.context['timedOut'] === true ? 'unknown' : 'fenced', error }
}
