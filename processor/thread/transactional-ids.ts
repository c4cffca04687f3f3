/**
 * The transactional ids of a thread, and the committer that uses them in turn. Taking an id fences whoever had it, and
 * ends what was open under it.
 */
import type { Transactor } from '#log'
import { Committer } from '../commit/committer.ts'
import type { ThreadContext } from './options.ts'
import { untilReachable } from './until-reachable.ts'

/** How many a thread has. */
export const transactionalIdCount = 2

export class TransactionalIds {
  readonly #thread: ThreadContext
  readonly #transactors: Transactor[] = []
  #committer: Committer
  #isLost = false
  #retaking: Promise<void> | undefined

  constructor(thread: ThreadContext) {
    this.#thread = thread
    this.#committer = this.#newCommitter()
  }

  /** Takes no transaction before the ids are ours. */
  get committer(): Committer {
    return this.#committer
  }

  /** They may have been taken over: they are to be taken again before the next task is. */
  get isLost(): boolean {
    return this.#isLost
  }

  /** Takes all of them, again if we had them; given up when the thread is to end. */
  async take(): Promise<void> {
    const { log, idPrefix, stopped } = this.#thread
    for (const transactor of this.#transactors.splice(0)) await transactor.close()
    for (let number = 0; number < transactionalIdCount; number++) {
      const id = `${idPrefix}-${number}`
      const taken = await untilReachable(`transactional id ${id}`, this.#thread, stopped, () =>
        log.transactor(id),
      )
      if (taken === undefined) return
      this.#transactors.push(taken)
    }
    this.#isLost = false
    this.startOver()
  }

  /** One at a time, whoever needs it first. */
  retake(): Promise<void> {
    this.#retaking ??= this.take().finally(() => (this.#retaking = undefined))
    return this.#retaking
  }

  /**
   * The group has taken everything back. Takes them again at once: what they may have open holds up the successors,
   * who wait for a member that is none any more.
   */
  lost(): void {
    this.#isLost = true
    this.retake().catch((error: unknown) => this.#thread.fail(error))
  }

  /** Gives up what is open under them; false when that is not sure. */
  async abort(): Promise<boolean> {
    const aborted = await Promise.allSettled(this.#transactors.map((transactor) => transactor.abort()))
    return aborted.every(({ status }) => status === 'fulfilled')
  }

  /** What comes next does not depend on what failed before. */
  startOver(): void {
    this.#committer = this.#newCommitter()
  }

  /** Waits while they are being taken again. */
  async settled(): Promise<void> {
    await this.#retaking?.catch(() => undefined)
  }

  async close(): Promise<void> {
    for (const transactor of this.#transactors) await transactor.close()
  }

  #newCommitter(): Committer {
    return new Committer(this.#transactors, () => this.#thread.signal.wake())
  }
}
