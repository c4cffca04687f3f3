/**
 * Keeps the checkpoints of tasks that run here young, as following does for the others: a task may write to one of its
 * stores all the time, and to another once a year.
 *
 * Whoever owns a task has all that was committed to its changelogs, but a process that was suspended for days owns
 * nothing any more and does not know it yet. So the group is asked, and the date is that of before asking. What is on its
 * way into the state then was sealed moments before: no transaction outlives its timeout.
 */
import { checkpointRenewalMs } from '#state'
import type { GroupMember } from './group-member.ts'
import type { ThreadContext } from './options.ts'

/** How often it is looked whether that is due; by the wall clock, which goes on while a machine sleeps. */
const lookMs = 10_000

export class CheckpointRenewal {
  readonly #thread: Pick<ThreadContext, 'clock' | 'tasks'>
  readonly #member: Pick<GroupMember, 'isMember'>

  constructor(thread: Pick<ThreadContext, 'clock' | 'tasks'>, member: Pick<GroupMember, 'isMember'>) {
    this.#thread = thread
    this.#member = member
  }

  /** Until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#thread
    let renewedAt = clock.now()
    while (!signal.aborted) {
      await clock.sleep(lookMs, signal)
      const now = clock.now()
      if (signal.aborted || now - renewedAt < checkpointRenewalMs) continue
      if (await this.#renew(now)) renewedAt = now
    }
  }

  /** False when this thread has no place in its group now. */
  async #renew(asOf: number): Promise<boolean> {
    const { tasks } = this.#thread
    const running = tasks.running()
    if (running.length > 0 && !(await this.#member.isMember())) return false
    // Whatever was closed meanwhile may have another owner; whatever is restored meanwhile is dated by that.
    for (const task of tasks.running()) if (running.includes(task)) task.state.renewCheckpoints(asOf)
    return true
  }
}
