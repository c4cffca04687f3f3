import { logError } from '../index.ts'
import { brokerError, code, isCoordinatorMoved } from './broker-errors.ts'
import type { Cluster } from './cluster.ts'
import type { Connections } from './connections.ts'
import { NoAnswer, unavailable } from './no-answer.ts'
import type { CoordinatorType } from './protocol/find-coordinator.ts'
import { endTxn } from './protocol/end-txn.ts'
import { initProducerId, noProducer } from './protocol/init-producer-id.ts'
import type { ProducerAnswer, ProducerIdentity } from './protocol/init-producer-id.ts'
import type { Api } from './protocol/wire.ts'
import { endVerdict, ownershipVerdict, passes } from './transaction-errors.ts'

export type Ending =
  | { readonly kind: 'ended'; readonly producer: ProducerIdentity }
  /** `sure`: no try of it can have been carried out. */
  | { readonly kind: 'fenced' | 'timed-out' | 'unknown'; readonly sure: boolean; readonly error: Error }

/** The holder of one transactional id, as its coordinator sees it. */
export class TransactionCoordinator {
  readonly #cluster: Cluster
  readonly #connections: Connections
  readonly #transactionalId: string
  readonly #timeoutMs: number
  /** Who writes the open transaction, or the next one. Each end of a transaction makes another one of it. */
  producer: ProducerIdentity = noProducer

  constructor(options: {
    readonly cluster: Cluster
    readonly connections: Connections
    readonly transactionalId: string
    readonly timeoutMs: number
  }) {
    this.#cluster = options.cluster
    this.#connections = options.connections
    this.#transactionalId = options.transactionalId
    this.#timeoutMs = options.timeoutMs
  }

  /** Fences whoever holds the id and waits until its open transaction is aborted. Errors: the port's. */
  async takeOver(): Promise<void> {
    const backoff = this.#cluster.backoff()
    let failure: unknown
    for (;;) {
      try {
        const answer = await this.#initialize(noProducer)
        if (answer.code === code.none) {
          this.producer = answer.producer
          return
        }
        failure = brokerError(answer.code, this.#subject)
        if (!passes(answer.code)) throw failure
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error
        failure = error
      }
      if (!(await backoff.wait())) throw unavailable(this.#subject, failure)
    }
  }

  /** Whether the id is still ours. If so, what was open is aborted, and `producer` is fresh. Never throws. */
  async reclaim(
    withinMs: number,
  ): Promise<{ readonly kind: 'ours' | 'fenced' | 'unknown'; readonly error: Error }> {
    const backoff = this.#cluster.backoff(withinMs)
    let error: Error = new Error('it was not asked')
    do {
      try {
        const answer = await this.#initialize(this.producer)
        error = brokerError(answer.code, this.#subject)
        const verdict = ownershipVerdict(answer.code)
        if (verdict === 'ours') this.producer = answer.producer
        if (verdict === 'fenced') return { kind: verdict, error: this.#fencedError(error) }
        if (verdict !== 'retry') return { kind: verdict, error }
      } catch (thrown) {
        error = asError(thrown)
        if (!(thrown instanceof NoAnswer)) return { kind: 'unknown', error }
      }
    } while (await backoff.wait())
    return { kind: 'unknown', error }
  }

  /**
   * EndTxn, again and again with the same identity until it is answered: the coordinator knows a decision it has taken.
   * Never throws.
   */
  async end(commit: boolean, withinMs: number): Promise<Ending> {
    const backoff = this.#cluster.backoff(withinMs)
    const { producer } = this
    const transactionalId = this.#transactionalId
    let sure = true
    let error: Error = new Error('it was not asked')
    do {
      try {
        const answer = await this.ask('transaction', transactionalId, endTxn, {
          transactionalId,
          producer,
          commit,
        })
        const verdict = endVerdict(answer.code)
        if (verdict === 'ok') {
          this.producer = answer.producer
          return { kind: 'ended', producer: answer.producer }
        }
        error = brokerError(answer.code, this.#subject)
        if (verdict === 'fenced') return { kind: 'fenced', sure, error: this.#fencedError(error) }
        if (verdict === 'unknown') return { kind: 'unknown', sure: false, error }
        if (verdict === 'ask') {
          const ownership = await this.reclaim(withinMs)
          if (ownership.kind === 'ours') return { kind: 'timed-out', sure, error }
          return { kind: ownership.kind, sure: sure && ownership.kind === 'fenced', error: ownership.error }
        }
        // Time-outs inside the coordinator leave open what it has written down.
        if (answer.code !== code.concurrentTransactions && !isCoordinatorMoved(answer.code)) sure = false
      } catch (thrown) {
        error = asError(thrown)
        if (!(thrown instanceof NoAnswer)) return { kind: 'unknown', sure: false, error }
        if (thrown.sent) sure = false
      }
    } while (await backoff.wait())
    return { kind: 'unknown', sure: false, error }
  }

  /** Asks the coordinator of a group or a transactional id, and looks for it again next time when it moved. */
  async ask<Request, Answer extends { readonly code: number }>(
    type: CoordinatorType,
    key: string,
    api: Api<Request, Answer>,
    request: Request,
  ): Promise<Answer> {
    try {
      const connection = await this.#connections.to(await this.#cluster.coordinator(type, key))
      const answer = await connection.request(api, request)
      if (isCoordinatorMoved(answer.code)) this.#cluster.forgetCoordinator(type, key)
      return answer
    } catch (error) {
      this.#cluster.forgetCoordinator(type, key)
      throw error
    }
  }

  get #subject(): string {
    return `transactional id ${this.#transactionalId}`
  }

  #initialize(producer: ProducerIdentity): Promise<ProducerAnswer> {
    const transactionalId = this.#transactionalId
    const request = { transactionalId, timeoutMs: this.#timeoutMs, producer }
    return this.ask('transaction', transactionalId, initProducerId, request)
  }

  #fencedError(cause: unknown): Error {
    return logError('LOG_FENCED', `The ${this.#subject} was taken over. Its successor goes on.`, { cause })
  }
}

export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}
