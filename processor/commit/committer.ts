/**
 * Carries sealed transactions to the log, two transactional ids in turn (a broker stalls on back-to-back
 * transactions of one id), up to two in flight.
 *
 * Order kept for exactly-once: no request of N+1 is sent before every append and the offsets of N are acknowledged
 * (the log keeps the offset appended last, whatever the order of the decisions), and N+1 is decided only after N is
 * committed. If N is not, N+1 is given up with it.
 */
import { messageOf } from '#core'
import type { TransactionOutcome, TransactionRequest, Transactor } from '#log'

type NotCommitted = Exclude<TransactionOutcome, { kind: 'committed' }>

interface InFlight {
  /** undefined once everything is acknowledged; else why it cannot be committed. */
  readonly prepared: Promise<NotCommitted | undefined>
  readonly outcome: Promise<TransactionOutcome>
}

export class Committer {
  readonly #transactors: readonly Transactor[]
  #turn = 0
  #last: InFlight | undefined
  #inFlight = 0
  #unprepared = 0

  readonly #onFree: () => void

  /**
   * @param transactors one or more, taken in turn
   * @param onFree called whenever the next transaction may be handed over
   */
  constructor(transactors: readonly Transactor[], onFree: () => void) {
    this.#transactors = transactors
    this.#onFree = onFree
  }

  /** True when a transaction may be handed over now. */
  get free(): boolean {
    return this.#unprepared === 0 && this.#inFlight < this.#transactors.length
  }

  /** Commits after what is in flight. Never rejects: what a driver throws counts as an unknown outcome. */
  commit(request: TransactionRequest): Promise<TransactionOutcome> {
    const transactor = this.#transactors[this.#turn % this.#transactors.length] as Transactor
    this.#turn++
    this.#inFlight++
    this.#unprepared++
    const before = this.#last
    const prepared = prepare(transactor, request, before).finally(() => {
      this.#unprepared--
      this.#onFree()
    })
    const outcome = decide(transactor, prepared, before).finally(() => this.#inFlight--)
    this.#last = { prepared, outcome }
    return outcome
  }
}

async function prepare(
  transactor: Transactor,
  request: TransactionRequest,
  before: InFlight | undefined,
): Promise<NotCommitted | undefined> {
  const refused = await before?.prepared
  if (refused !== undefined) return { kind: 'aborted', error: refused.error }
  try {
    return await transactor.prepare(request)
  } catch (error) {
    return unknown(error)
  }
}

async function decide(
  transactor: Transactor,
  prepared: Promise<NotCommitted | undefined>,
  before: InFlight | undefined,
): Promise<TransactionOutcome> {
  try {
    const refused = await prepared
    const earlier = await before?.outcome
    if (refused === undefined && (earlier === undefined || earlier.kind === 'committed')) {
      return await transactor.commit()
    }
    if (refused?.kind !== 'fenced') await transactor.abort()
    if (refused !== undefined) return refused
    return { kind: 'aborted', error: new Error('the transaction before it was not committed') }
  } catch (error) {
    return unknown(error)
  }
}

function unknown(error: unknown): NotCommitted {
  return { kind: 'unknown', error: error instanceof Error ? error : new Error(messageOf(error)) }
}
