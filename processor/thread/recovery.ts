/**
 * Starting over from committed positions: after a transaction that was not committed, and after the group has taken
 * tasks away from us. Whatever is computed and not committed is dropped.
 */
import type { GroupMetadata } from '#log'
import { processorError } from '../errors.ts'
import type { Fetcher } from '../fetcher.ts'
import type { Computation } from './computation.ts'
import type { Fleet } from './fleet.ts'
import type { GroupMember } from './group-member.ts'
import type { Handovers } from './handovers.ts'
import type { ThreadContext } from './options.ts'
import type { TaskLifecycle } from './task-lifecycle.ts'
import type { TransactionalIds } from './transactional-ids.ts'
import type { FailedTransaction, Transactions } from './transactions.ts'
import { retryWaitMs } from './until-reachable.ts'

interface Parts {
  readonly computation: Computation
  readonly transactions: Transactions
  readonly ids: TransactionalIds
  readonly member: GroupMember
  readonly fleet: Fleet
  readonly lifecycle: TaskLifecycle
  readonly handovers: Handovers
  readonly fetcher: Fetcher
}

export class Recovery {
  readonly #thread: ThreadContext
  readonly #parts: Parts
  /** As whom the last transaction was fenced although this thread was, and is, that member. */
  #fencedAs: GroupMetadata | undefined

  constructor(thread: ThreadContext, parts: Parts) {
    this.#thread = thread
    this.#parts = parts
  }

  /** Errors: PROCESSOR_FENCED when another process does the same work. */
  async afterFailure(first: FailedTransaction): Promise<void> {
    const { clock, logger, stopped, tasks } = this.#thread
    const { computation, transactions, ids, lifecycle } = this.#parts
    await transactions.settled()
    computation.drop()
    // What was in flight may have made it worse.
    const failed = transactions.failed ?? first
    const kind = failed.kind === 'fenced' ? await this.#whyFenced(failed) : failed.kind
    if (kind === 'stopped') return
    logger.warn({ outcome: failed.kind, error: failed.error }, 'transaction not committed, starting over')
    if (failed.kind !== 'fenced') await clock.sleep(retryWaitMs, stopped)
    const isUnknown = transactions.forgetFailure() || kind === 'unknown'
    if (kind === 'lost') return this.#dropAll()
    const running = tasks.running()
    if (isUnknown) {
      await ids.take()
      // Beside the loop, as new ones are: one that has to wait must not hold up the others.
      for (const task of running) void lifecycle.takeOver(task)
      return
    }
    ids.startOver()
    this.#rewind()
  }

  /** Of the tasks that are lost nothing can be committed, and the draft may hold work of them. */
  async afterLoss(): Promise<void> {
    const { computation, transactions, handovers } = this.#parts
    await transactions.settled()
    computation.drop()
    await handovers.close()
    if (this.#thread.tasks.all().length > 0) return this.#rewind()
    transactions.forgetFailure()
    this.#lostAll()
  }

  /** `lost`: not a member any more. `aborted`: one of a newer generation. `unknown`: it was not the group. */
  async #whyFenced(failed: FailedTransaction): Promise<'lost' | 'aborted' | 'unknown' | 'stopped'> {
    const { member, ids } = this.#parts
    const isMember = await member.confirm()
    if (isMember === undefined) return 'stopped'
    if (!isMember) return 'lost'
    const now = member.metadata()
    // The group went on while it was under way: the same work again, as a member of the generation that is.
    if (!isSame(now, failed.as)) return (await ids.abort()) ? 'aborted' : 'unknown'
    // A successor that took this member for dead has let go by now; one that has the same ids comes again.
    if (this.#fencedAs === undefined || !isSame(now, this.#fencedAs)) {
      this.#fencedAs = now
      return 'unknown'
    }
    throw processorError(
      'PROCESSOR_FENCED',
      `Another process has taken over the work of ${this.#thread.idPrefix}: ${failed.error.message} ` +
        'Nothing of what this process had not committed was written. Run one process for each STATE_DIR.',
      { cause: failed.error },
    )
  }

  #rewind(): void {
    for (const task of this.#thread.tasks.running()) {
      task.rewind()
      this.#parts.fetcher.follow(task.settledOffsets())
    }
  }

  /** Everything was lost, whether the group has said so already or not. */
  async #dropAll(): Promise<void> {
    const { lifecycle, handovers } = this.#parts
    for (const task of this.#thread.tasks.all()) await lifecycle.close(task)
    await handovers.close()
    this.#lostAll()
  }

  #lostAll(): void {
    this.#parts.fleet.lost()
    this.#parts.ids.lost()
  }
}

function isSame(one: GroupMetadata, other: GroupMetadata): boolean {
  return one.memberId === other.memberId && one.generation === other.generation
}
