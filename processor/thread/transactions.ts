/**
 * A thread's transactions on their way: each from the draft that is sealed to the states that are settled, and what is
 * known of those that were not committed.
 */
import { messageOf } from '#core'
import type { GroupMetadata, TransactionOutcome } from '#log'
import { checkpointsOf, seal } from '../commit/seal.ts'
import type { SealedTransaction } from '../commit/seal.ts'
import { offsetMetadata } from '../former-owner.ts'
import { RepartitionPurge } from '../repartition-purge.ts'
import type { Draft } from './draft.ts'
import type { GroupMember } from './group-member.ts'
import type { ThreadContext } from './options.ts'
import { transactionalIdCount } from './transactional-ids.ts'
import type { TransactionalIds } from './transactional-ids.ts'

type NotCommitted = Exclude<TransactionOutcome, { kind: 'committed' }>

/** With the member and generation that it was to be committed as. */
export type FailedTransaction = NotCommitted & { readonly as: GroupMetadata }

const gravity = { aborted: 0, unknown: 1, fenced: 2 } as const satisfies Record<NotCommitted['kind'], number>

export class Transactions {
  readonly #thread: ThreadContext
  readonly #ids: TransactionalIds
  readonly #member: GroupMember
  readonly #purge: RepartitionPurge
  readonly #settling = new Set<Promise<void>>()
  #failed: FailedTransaction | undefined
  /** One of those that failed may be in the log. */
  #isUnknown = false

  constructor(thread: ThreadContext, ids: TransactionalIds, member: GroupMember) {
    this.#thread = thread
    this.#ids = ids
    this.#member = member
    const { log, topics, repartitionPurge: limits } = thread
    this.#purge = new RepartitionPurge({ ...thread, admin: log.admin, topics: topics.repartition, limits })
  }

  /** True when the next one may be committed now. */
  get isFree(): boolean {
    return this.#ids.committer.free && this.#failed === undefined
  }

  /** Nothing is on its way, and nothing has failed. */
  get isQuiet(): boolean {
    return this.#settling.size === 0 && this.#failed === undefined
  }

  /** The gravest failure, until it is forgotten; it decides how to start over. */
  get failed(): FailedTransaction | undefined {
    return this.#failed
  }

  /** Only while free. Errors: those of `seal`. What becomes of it later is in `failed`, and in the tasks. */
  commit(draft: Draft): void {
    const { clock, topics, idPrefix, signal } = this.#thread
    const sealed = seal({
      outputs: draft.outputs,
      tasks: [...draft.tasks],
      group: this.#member.metadata(),
      changelog: (store) => topics.changelog(store),
      now: clock.now(),
      offsetMetadata: (streamTime) => offsetMetadata(idPrefix, transactionalIdCount, streamTime),
    })
    const settling = this.#settle(sealed, this.#ids.committer.commit(sealed.request), clock.now())
    this.#settling.add(settling)
    void settling.finally(() => {
      this.#settling.delete(settling)
      signal.wake()
    })
  }

  /** Waits for all that is on its way. */
  async settled(): Promise<void> {
    while (this.#settling.size > 0) await Promise.all(this.#settling)
  }

  /** True when one of those that failed may be in the log. */
  forgetFailure(): boolean {
    const isUnknown = this.#isUnknown
    this.#failed = undefined
    this.#isUnknown = false
    return isUnknown
  }

  /** Waits for what is done behind them. */
  close(): Promise<void> {
    return this.#purge.close()
  }

  async #settle(
    sealed: SealedTransaction,
    committing: Promise<TransactionOutcome>,
    startedAt: number,
  ): Promise<void> {
    const outcome = await committing
    const { clock, instruments } = this.#thread
    instruments.commit.observe((clock.now() - startedAt) / 1000, { outcome: outcome.kind })
    if (outcome.kind !== 'committed') {
      this.#noteFailure(outcome, sealed.request.group)
      return
    }
    // What came before could not be applied: on top of it this would be a gap. Taking over brings both back.
    if (this.#failed !== undefined) return
    try {
      const checkpointOf = checkpointsOf(sealed, outcome.endOffsets)
      for (const { task, position, changelogs } of sealed.tasks) {
        task.state.settle(changelogs, checkpointOf)
        task.settle(position)
        this.#purge.committed(position.inputs)
      }
      sealed.outputs.recycle()
    } catch (error) {
      // Committed, but not applied: the changelog has it, so taking over again brings it back.
      this.#noteFailure({ kind: 'unknown', error: asError(error) }, sealed.request.group)
    }
  }

  /** What was in flight behind the first was given up with it. */
  #noteFailure(failed: NotCommitted, as: GroupMetadata): void {
    if (failed.kind === 'unknown') this.#isUnknown = true
    if (this.#failed === undefined || gravity[failed.kind] > gravity[this.#failed.kind]) {
      this.#failed = { ...failed, as }
    }
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(messageOf(error))
}
