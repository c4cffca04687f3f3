/**
 * The life of a thread's tasks (task-states.ts): assigned by the group, taken over, closed. Computing and committing
 * in between are the loop's.
 */
import { invariant, isMillraceError, orAborted } from '#core'
import { partitionName } from '#log'
import type { TopicPartition } from '#log'
import type { BackgroundTurns } from '../background-turns.ts'
import type { Fetcher } from '../fetcher.ts'
import { Slots } from '../slots.ts'
import type { StandbyTasks } from '../standby/standby-tasks.ts'
import { mayBecome } from '../task-states.ts'
import type { TaskStatus } from '../task-states.ts'
import { takeOver } from '../takeover.ts'
import { Task } from '../task.ts'
import type { Fleet } from './fleet.ts'
import type { GroupMember } from './group-member.ts'
import { directoryOf } from './options.ts'
import type { ThreadContext } from './options.ts'
import type { TransactionalIds } from './transactional-ids.ts'
import { untilReachable } from './until-reachable.ts'

/** Each holds a reader with a fetch of each store. */
const restoredAtOnce = 8

interface Takeover {
  readonly abort: AbortController
  readonly done: Promise<void>
}

interface Parts {
  readonly fetcher: Fetcher
  readonly ids: TransactionalIds
  readonly member: GroupMember
  readonly fleet: Fleet
  readonly standbys: StandbyTasks
  readonly turns: BackgroundTurns
}

export class TaskLifecycle {
  readonly #thread: ThreadContext
  readonly #parts: Parts
  readonly #takeovers = new Map<Task, Takeover>()
  /** Given up, and not closed yet: the loop may come to take them over only now. */
  readonly #unwanted = new WeakSet<Task>()
  readonly #slots = new Slots(restoredAtOnce)
  /** Partitions that the group has given to this thread, by name. */
  readonly #given = new Set<string>()

  constructor(thread: ThreadContext, parts: Parts) {
    this.#thread = thread
    this.#parts = parts
  }

  /**
   * Only notes the new tasks: restoring them must not hold up the group. A task of several source topics begins when
   * the last of its partitions is given: until then another has the rest, and may be at work on it.
   */
  assign(partitions: readonly TopicPartition[]): void {
    const { tasks } = this.#thread
    for (const partition of partitions) this.#given.add(partitionName(partition))
    for (const { topic, partition } of partitions) {
      const { subtopologies } = this.#thread.topology
      const subtopology = subtopologies.find(({ sourceTopics }) => sourceTopics.includes(topic))
      invariant(subtopology !== undefined, `topic ${topic} is read by the topology`)
      if (tasks.get(`${subtopology.id}_${partition}`) !== undefined) continue
      const isGiven = (source: string): boolean =>
        this.#given.has(partitionName({ topic: source, partition }))
      if (!subtopology.sourceTopics.every(isGiven)) continue
      const { punctuatorsFailed, deadLettered } = this.#thread.instruments
      const task = new Task({
        ...this.#thread,
        subtopology,
        partition,
        onPunctuatorFailed: (failed) => punctuatorsFailed.add(1, failed),
        onDeadLetter: (letter) => deadLettered.add(1, letter),
      })
      tasks.add(task)
      void this.takeOver(task)
    }
  }

  /** They are not this thread's any more, or are about to be another's; tasks that read them have to be closed. */
  takeBack(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#given.delete(partitionName(partition))
  }

  /**
   * Restores a task from the log and lets it run. Never rejects: what goes wrong for good ends the thread. A task that
   * has another owner by now is left as it is, and closed when the group says so.
   */
  async takeOver(task: Task): Promise<void> {
    try {
      await this.#takeOver(task)
    } catch (error) {
      const isOurs = this.#thread.tasks.get(task.taskId) === task
      if (isMillraceError(error, 'PROCESSOR_FENCED') && !(isOurs && (await this.#parts.member.isMember())))
        return
      this.#thread.fail(error)
    }
  }

  /** Ends its takeover, and lets none begin; `close` has to follow. */
  giveUp(task: Task): void {
    this.#unwanted.add(task)
    this.#takeovers.get(task)?.abort.abort()
  }

  /** @param mayFollow its state may stay open, to be followed */
  async close(task: Task, mayFollow = false): Promise<void> {
    const { tasks, positions } = this.#thread
    const { fetcher, fleet, standbys } = this.#parts
    this.giveUp(task)
    // What went wrong with it no longer matters, but its hands have to be off the state.
    await this.#takeovers.get(task)?.done.catch(() => {})
    fetcher.forget(task.inputs)
    if (task.status === 'running') positions.note(new Map([[task.taskId, task.state.changelogPosition()]]))
    tasks.delete(task)
    this.#become(task, 'closed')
    const state = task.detach()
    if (state === undefined) return
    const follow = mayFollow && !fleet.isForSibling(task.taskId)
    if (follow && standbys.adopt(task.taskId, state)) return
    await state.close()
    standbys.released()
  }

  /** Given up without an error when the task is closed meanwhile. */
  async #takeOver(task: Task): Promise<void> {
    const { stopped, signal: loop } = this.#thread
    const { fetcher, ids, standbys } = this.#parts
    this.#become(task, 'restoring')
    fetcher.forget(task.inputs)
    const abort = new AbortController()
    if (this.#unwanted.has(task)) abort.abort()
    // The end of the thread ends it too: the loop may be waiting for it.
    const signal = AbortSignal.any([abort.signal, stopped])
    // The log may be away, or a former owner's transaction undecided.
    const done = untilReachable(`task ${task.taskId}`, this.#thread, signal, async () => {
      if (ids.isLost) await orAborted(signal, ids.retake())
      const followed = task.hasState ? undefined : await standbys.surrender(task.taskId)
      if (followed !== undefined) task.attach(followed)
      if (!signal.aborted) await this.#restore(task, signal)
    })
    this.#takeovers.set(task, { abort, done })
    try {
      await done
    } finally {
      this.#takeovers.delete(task)
    }
    if (signal.aborted) return
    this.#become(task, 'running')
    fetcher.follow(task.settledOffsets())
    loop.wake()
  }

  #restore(task: Task, signal: AbortSignal): Promise<void> {
    const { appId, topics, idPrefix, instruments } = this.#thread
    const { fleet, turns } = this.#parts
    return takeOver({
      ...this.#thread,
      group: appId,
      directory: directoryOf(this.#thread, task.taskId),
      task,
      changelog: (store) => topics.changelog(store),
      deleteRetentionMs: (topic) => topics.deleteRetentionMs(topic),
      purgedTopics: topics.repartition,
      signal,
      isMember: (one) => one === idPrefix || fleet.mayHave(one),
      instruments: instruments.restore,
      turn: (aborted) => turns.next(aborted),
      slots: this.#slots,
    })
  }

  #become(task: Task, status: TaskStatus): void {
    invariant(mayBecome(task.status, status), `a task does not go from ${task.status} to ${status}`)
    const { logger } = this.#thread
    logger.info({ task: task.taskId, from: task.status, to: status }, 'task state changed')
    task.status = status
  }
}
