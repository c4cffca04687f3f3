/** A thread's place in the group of its application: how it comes to it, and whether it still has it. */
import { invariant, isMillraceError, orAborted } from '#core'
import type { GroupListener, GroupMetadata, Membership } from '#log'
import { taskAssignor } from '../assignment/assignor.ts'
import { processorError } from '../errors.ts'
import type { ThreadContext } from './options.ts'

export class GroupMember {
  readonly #thread: ThreadContext
  #membership: Membership | undefined

  constructor(thread: ThreadContext) {
    this.#thread = thread
  }

  /** @param userData what the assignor is to know, as of when it is called */
  async join(userData: () => Uint8Array, listener: Omit<GroupListener, 'ended'>): Promise<void> {
    const { log, appId, topology, topics, placement, idPrefix } = this.#thread
    this.#membership = await log.join({
      group: appId,
      topics: [...topics.sources.keys()],
      assignor: taskAssignor(topology, placement),
      userData,
      // A process that comes back takes its own place at once, instead of after the session of the one before.
      instanceId: idPrefix,
      listener: { ...listener, ended: (error) => this.#ended(error) },
    })
  }

  /** As whom to commit now; only after `join`. */
  metadata(): GroupMetadata {
    invariant(this.#membership !== undefined, 'a thread commits as a member of its group')
    return this.#membership.metadata()
  }

  /** Asks the group to place its tasks anew. */
  rebalance(): void {
    this.#membership?.rebalance()
  }

  /** Whether this thread is a member of its group; undefined when it is stopped before the group has said so. */
  confirm(): Promise<boolean | undefined> {
    const confirmed = async (): Promise<boolean | undefined> => this.#membership?.confirm()
    return orAborted(this.#thread.stopped, confirmed())
  }

  /** As `confirm`; what the group says about it for good ends the thread, and counts as no. */
  async isMember(): Promise<boolean> {
    try {
      return (await this.confirm()) === true
    } catch (error) {
      this.#thread.fail(error)
      return false
    }
  }

  async leave(): Promise<void> {
    await this.#membership?.leave()
  }

  #ended(error: Error): void {
    const { stopped, idPrefix, fail } = this.#thread
    if (stopped.aborted) return
    const message = `The place of ${idPrefix} in the group is gone: ${error.message}`
    const fenced = isMillraceError(error, 'LOG_FENCED')
    fail(fenced ? processorError('PROCESSOR_FENCED', message, { cause: error }) : error)
  }
}
