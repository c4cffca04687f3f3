import { logError } from '../index.ts'
import type { TransactionOutcome, TransactionRequest, Transactor, TransactorOptions } from '../index.ts'
import type { Cluster } from './cluster.ts'
import type { Connections } from './connections.ts'
import type { TopicDirectory } from './topic-directory.ts'
import { TransactionCoordinator } from './transaction-coordinator.ts'
import { TransactionWriter, planFailure } from './transaction-writer.ts'
import type { SendFailure } from './transaction-writer.ts'

type Failure = Exclude<TransactionOutcome, { kind: 'committed' }>

/**
 * `idle`: nothing open. `open`: something may have been sent. `prepared`: all is acknowledged. `ending`: EndTxn is under
 * way. `doubtful`: what is open could not be aborted yet. `lost`: the outcome is open, or another holder has the id.
 */
type State = 'idle' | 'open' | 'prepared' | 'ending' | 'doubtful' | 'lost'

const defaultTransactionTimeoutMs = 10_000
/** Sending is tried at least this long, however short the transaction's own time-out is. */
const leastSendMs = 1000
/** How long an orderly close tries to abort; what is left open the coordinator times out. */
const closeMs = 5000

interface KafkaTransactorOptions {
  readonly cluster: Cluster
  readonly topics: TopicDirectory
  readonly transactionalId: string
  readonly transactor: TransactorOptions
  readonly requestTimeoutMs: number
  readonly onClosed: (transactor: KafkaTransactor) => void
}

/**
 * Transactions version 2 (KIP-890): Produce and TxnOffsetCommit add to the transaction by themselves, one after the
 * other, and each EndTxn brings the identity of the next transaction.
 */
export class KafkaTransactor implements Transactor {
  readonly transactionalId: string
  readonly #cluster: Cluster
  readonly #connections: Connections
  readonly #coordinator: TransactionCoordinator
  readonly #writer: TransactionWriter
  readonly #sendMs: number
  readonly #endMs: number
  readonly #onClosed: (transactor: KafkaTransactor) => void
  #state: State = 'idle'
  #ends: readonly number[] = []
  /** Set once this transactor can do nothing more. */
  #lost: Failure | undefined
  #working: Promise<unknown> = Promise.resolve()
  #closing: Promise<void> | undefined

  private constructor(options: KafkaTransactorOptions) {
    const { cluster, topics, transactionalId, requestTimeoutMs } = options
    const timeoutMs = options.transactor.transactionTimeoutMs ?? defaultTransactionTimeoutMs
    this.transactionalId = transactionalId
    this.#cluster = cluster
    this.#sendMs = Math.max(timeoutMs, leastSendMs)
    this.#endMs = this.#sendMs + 2 * requestTimeoutMs
    this.#onClosed = options.onClosed
    this.#connections = cluster.connections()
    const parts = { cluster, connections: this.#connections, transactionalId }
    this.#coordinator = new TransactionCoordinator({ ...parts, timeoutMs })
    this.#writer = new TransactionWriter({
      ...parts,
      topics,
      coordinator: this.#coordinator,
      requestTimeoutMs,
    })
  }

  /** Takes the id over. Errors: LOG_UNAVAILABLE, LOG_UNAUTHORIZED. */
  static async open(options: KafkaTransactorOptions): Promise<KafkaTransactor> {
    const transactor = new KafkaTransactor(options)
    try {
      await transactor.#coordinator.takeOver()
      return transactor
    } catch (error) {
      await transactor.#connections.close()
      throw error
    }
  }

  prepare(request: TransactionRequest): Promise<Failure | undefined> {
    const refused = this.#refusal()
    if (refused !== undefined) return Promise.resolve(refused)
    if (this.#state === 'ending')
      return Promise.resolve(
        this.#aborted('is being decided. Wait for that, then prepare the next transaction.'),
      )
    if (request.offsets.length === 0)
      return Promise.resolve(
        this.#aborted('needs at least one offset: without, the group does not fence it.'),
      )
    return this.#work(() => this.#prepare(request))
  }

  commit(): Promise<TransactionOutcome> {
    const refused = this.#refusal()
    if (refused !== undefined) return Promise.resolve(refused)
    if (this.#state !== 'prepared') return Promise.resolve(this.#aborted('has nothing prepared to commit.'))
    this.#state = 'ending'
    return this.#work(() => this.#commit())
  }

  async abort(): Promise<void> {
    if (this.#refusal() === undefined) await this.#work(() => this.#abort(this.#endMs))
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #prepare(request: TransactionRequest): Promise<Failure | undefined> {
    await this.#abort(this.#endMs)
    if (this.#lost !== undefined) return this.#lost
    if (this.#state !== 'idle')
      return this.#aborted(
        'has a transaction that cannot be aborted, since its coordinator cannot be reached.',
      )
    let writes
    try {
      writes = await this.#writer.plan(request)
    } catch (error) {
      return { kind: 'aborted', error: planFailure(error) }
    }
    this.#state = 'open'
    const ends = request.appends.map(() => 0)
    const backoff = this.#cluster.backoff(this.#sendMs)
    const failure =
      (await this.#writer.produce(writes, ends, backoff)) ??
      (await this.#writer.commitOffsets(request, backoff))
    if (failure !== undefined) return this.#outcomeOf(failure)
    this.#ends = ends
    this.#state = 'prepared'
    return undefined
  }

  /** Nothing was decided yet, so whatever it is, it is not committed. */
  async #outcomeOf({ kind, error }: SendFailure): Promise<Failure> {
    if (kind === 'abort') return { kind: 'aborted', error }
    // The member is fenced, not the transactional id: with other metadata it may go on.
    if (kind === 'fenced') return { kind: 'fenced', error }
    const ownership = await this.#coordinator.reclaim(this.#endMs)
    if (ownership.kind === 'fenced') return this.#lose({ kind: 'fenced', error: ownership.error })
    this.#state = ownership.kind === 'ours' ? 'idle' : 'doubtful'
    return { kind: 'aborted', error }
  }

  async #commit(): Promise<TransactionOutcome> {
    const ending = await this.#coordinator.end(true, this.#endMs)
    if (ending.kind === 'ended') {
      this.#state = 'idle'
      return { kind: 'committed', endOffsets: this.#ends }
    }
    if (ending.kind === 'fenced' && ending.sure) return this.#lose({ kind: 'fenced', error: ending.error })
    // Timed out by the coordinator, most likely; but only the log can tell.
    return this.#lose({ kind: 'unknown', error: ending.error })
  }

  /** Ends what is open, if anything is. */
  async #abort(withinMs: number): Promise<void> {
    if (this.#state === 'idle' || this.#state === 'lost') return
    const ending = await this.#coordinator.end(false, withinMs)
    if (ending.kind === 'ended' || ending.kind === 'timed-out') this.#state = 'idle'
    else if (ending.kind === 'fenced') this.#lose({ kind: 'fenced', error: ending.error })
    else this.#state = 'doubtful'
  }

  async #close(): Promise<void> {
    await this.#working
    await this.#abort(closeMs)
    await this.#connections.close()
    this.#onClosed(this)
  }

  /** One thing at a time; `close` waits for it. */
  #work<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#working.then(work)
    this.#working = result.catch(() => undefined)
    return result
  }

  #lose(failure: Failure): Failure {
    const { kind, error } = failure
    const { transactionalId } = this
    this.#cluster.logger.warn({ transactionalId, outcome: kind, error }, 'transactional id given up')
    this.#state = 'lost'
    this.#lost = failure
    return failure
  }

  /** Why nothing can be asked of it any more. */
  #refusal(): Failure | undefined {
    if (this.#closing === undefined) return this.#lost
    const message = `Transactor ${this.transactionalId} is closed. Make another one.`
    return { kind: 'aborted', error: logError('LOG_CLOSED', message) }
  }

  #aborted(why: string): Failure {
    return { kind: 'aborted', error: logError('LOG_INVALID_REQUEST', `${this.transactionalId} ${why}`) }
  }
}
