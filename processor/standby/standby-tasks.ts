/**
 * The tasks of a thread whose changelogs it follows: standbys, and those it is to take over when it has caught up.
 *
 * One loop opens and closes their states, reads all changelogs read_committed, and applies what a fetch brought of one
 * changelog in one write with its checkpoint, as restoring does: so each state is the fold of its changelogs, and
 * running the task goes on from it. Each write waits for its turn behind the tasks that run.
 */
import type { Clock, Gauge, Logger } from '#core'
import { isMillraceError, orAborted } from '#core'
import type { FetchedRecords, Log, Reader, TopicPartition } from '#log'
import type { StateStorage, StoreChangelog, TaskState } from '#state'
import type { StoreSpec } from '#topology'
import type { ChangelogIdentity } from '../commit/seal.ts'
import type { RestoreInstruments } from '../restore-report.ts'
import { Signal } from '../signal.ts'
import { openTaskState, whyNotContinued, wipeTaskState } from '../task-storage.ts'
import type { TaskStorageOptions } from '../task-storage.ts'
import { FollowedTask } from './followed-task.ts'
import type { FollowedRole } from './followed-task.ts'

export interface StandbyOptions {
  readonly log: Log
  readonly clock: Clock
  readonly logger: Logger
  readonly storage: StateStorage
  /** What there is to follow of a task; undefined when it has no state, or is not in this topology. */
  readonly describe: (taskId: string) => FollowableTask | undefined
  readonly changelog: (store: string) => ChangelogIdentity
  readonly deleteRetentionMs: (topic: string) => number
  /** True: this thread runs the task, or is about to. */
  readonly isActive: (taskId: string) => boolean
  readonly turn: (signal: AbortSignal) => Promise<void>
  /** Records; a warm-up that is behind by no more may be taken over. */
  readonly acceptableLag: number
  /** A task is warmed up: the group should look again. */
  readonly onWarm: (taskId: string) => void
  /** A state is closed at this many records. */
  readonly onClosed: (taskId: string, position: number) => void
  readonly instruments: RestoreInstruments & { readonly lag: Gauge }
}

interface FollowableTask {
  readonly partition: number
  readonly directory: string
  readonly stores: readonly StoreSpec[]
}

/** The first look when a task is warm is at once; when nothing came of it, the next one waits. */
const probeMs = 10_000
const pollWaitMs = 500
const retryWaitMs = 200
/** A bounded slice: what one write blocks the thread for. */
const readLimits = { partitionBytesMax: 512 << 10, pollBytesMax: 4 << 20 }

export class StandbyTasks {
  readonly #options: StandbyOptions
  readonly #followed = new Map<string, FollowedTask>()
  readonly #changed = new Signal()
  readonly #stop = new AbortController()
  /** What the group wants followed. */
  #wanted: ReadonlyMap<string, FollowedRole> = new Map()
  #reader: Reader | undefined
  /** The task whose state is being opened, wiped or closed, the end of that, and how to give it up before. */
  #changing:
    | { readonly taskId: string; readonly done: Promise<void>; readonly abort: AbortController }
    | undefined
  readonly #surrendered = new Set<string>()
  /** Tasks that were run here until now, and of which the group has not said yet whether they are wanted. */
  readonly #adopted = new Set<string>()

  constructor(options: StandbyOptions) {
    this.#options = options
  }

  /** Follows these from now on, as far as they are not run here, and closes the rest. */
  want(roles: ReadonlyMap<string, FollowedRole>): void {
    this.#wanted = roles
    this.#adopted.clear()
    for (const [taskId, role] of roles) this.#followed.get(taskId)?.become(role)
    this.#wake()
  }

  isFollowed(taskId: string): boolean {
    return this.#followed.has(taskId)
  }

  all(): readonly FollowedTask[] {
    return [...this.#followed.values()]
  }

  /**
   * Goes on with the state of a task that was run here until now. Whether that is wanted the group may say only
   * afterwards: until it does, the state stays open. False when there is nothing to follow.
   */
  adopt(taskId: string, state: TaskState): boolean {
    const role = this.#wanted.get(taskId) ?? 'standby'
    const task = this.#options.describe(taskId)
    if (task === undefined || this.#stop.signal.aborted) return false
    if (!this.#wanted.has(taskId)) this.#adopted.add(taskId)
    // It was at the end a moment ago; the next fetch says how far that is now.
    const changelogs = task.stores.map(({ name: store }) => {
      const { topic, clusterId, topicId } = this.#options.changelog(store)
      return { store, topic, partition: task.partition, facts: { clusterId, topicId, start: 0, end: 0 } }
    })
    this.#follow(new FollowedTask(taskId, role, state, changelogs))
    return true
  }

  /** Gives up the open state of a task that is to be run here; undefined when there is none. */
  async surrender(taskId: string): Promise<TaskState | undefined> {
    this.#surrendered.add(taskId)
    try {
      while (this.#changing?.taskId === taskId) {
        this.#changing.abort.abort()
        await this.#changing.done
      }
      const task = this.#followed.get(taskId)
      if (task === undefined) return undefined
      this.#forget(task)
      return task.state
    } finally {
      this.#surrendered.delete(taskId)
    }
  }

  /** A task that was run here is closed: it may be followed again. */
  released(): void {
    this.#wake()
  }

  /** Runs until `close`. Rejects with what the log or the disk says for good. */
  async run(): Promise<void> {
    let away = false
    while (!this.#stop.signal.aborted) {
      try {
        const complete = await this.#reconcile()
        if (this.#followed.size > 0) await this.#poll()
        else if (complete) await this.#changed.wait()
        else await this.#options.clock.sleep(retryWaitMs, this.#stop.signal)
        away = false
      } catch (error) {
        if (this.#stop.signal.aborted) return
        if (isMillraceError(error, 'LOG_OFFSET_OUT_OF_RANGE')) {
          await this.#startOver(error.context as unknown as TopicPartition, error.message)
          continue
        }
        if (!isMillraceError(error) || error.reaction !== 'retry') throw error
        if (!away) this.#options.logger.warn({ error }, 'changelogs not reachable, standbys wait')
        away = true
        await this.#options.clock.sleep(retryWaitMs, this.#stop.signal)
      }
    }
  }

  /** After `run` has ended, or while it ends. */
  async close(running: Promise<unknown>): Promise<void> {
    this.#stop.abort()
    this.#wake()
    await running.catch(() => undefined)
    for (const task of this.all()) await this.#close(task)
    await this.#reader?.close()
  }

  // ------------------------------------------------------------------------------------------- opening and closing

  /** False when some of it has to be tried again. */
  async #reconcile(): Promise<boolean> {
    for (const task of this.all()) {
      if (this.#wanted.has(task.taskId) || this.#adopted.has(task.taskId)) continue
      await this.#change(task.taskId, () => this.#close(task))
    }
    let complete = true
    for (const [taskId, role] of this.#wanted) {
      if (this.#stop.signal.aborted) return true
      if (this.#followed.has(taskId) || this.#isElsewhere(taskId)) continue
      try {
        await this.#change(taskId, (signal) => this.#open(taskId, role, signal))
      } catch (error) {
        if (!isMillraceError(error) || error.reaction !== 'retry') throw error
        complete = false
      }
    }
    return complete
  }

  #isElsewhere(taskId: string): boolean {
    return this.#options.isActive(taskId) || this.#surrendered.has(taskId)
  }

  async #change(taskId: string, action: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const abort = new AbortController()
    const done = action(AbortSignal.any([abort.signal, this.#stop.signal]))
    this.#changing = { taskId, done: done.catch(() => undefined), abort }
    try {
      await done
    } finally {
      this.#changing = undefined
    }
  }

  async #open(taskId: string, role: FollowedRole, signal: AbortSignal): Promise<void> {
    const task = this.#options.describe(taskId)
    if (task === undefined) return
    // Whoever is to run the task must not wait for a log that is away.
    const changelogs = await orAborted(signal, this.#changelogs(task))
    if (changelogs === undefined) return
    const its = this.#storageOf(taskId, task)
    let state = await openTaskState(its)
    const why = whyNotContinued(state, changelogs, this.#options.clock.now())
    if (why !== undefined) {
      await state.close()
      await wipeTaskState(its, why)
      state = await openTaskState(its)
    }
    this.#follow(new FollowedTask(taskId, role, state, changelogs))
  }

  #storageOf(taskId: string, { directory, stores }: FollowableTask): TaskStorageOptions {
    const { storage, logger } = this.#options
    return { storage, logger, directory, taskId, stores }
  }

  async #changelogs({ stores, partition }: FollowableTask): Promise<StoreChangelog[]> {
    const { log, changelog, deleteRetentionMs } = this.#options
    const offsets = await log.admin.offsets(
      stores.map(({ name }) => ({ topic: changelog(name).topic, partition })),
    )
    return stores.flatMap(({ name: store }) => {
      const { topic, clusterId, topicId } = changelog(store)
      const found = offsets.find((one) => one.topic === topic)
      if (found === undefined) return []
      const { start, highWatermark: end } = found
      const facts = { clusterId, topicId, start, end, deleteRetentionMs: deleteRetentionMs(topic) }
      return [{ store, topic, partition, facts }]
    })
  }

  #follow(task: FollowedTask): void {
    const { logger, log } = this.#options
    this.#reader ??= log.reader(readLimits)
    this.#followed.set(task.taskId, task)
    for (const changelog of task.changelogs) this.#reader.seek(changelog, changelog.position)
    logger.info({ task: task.taskId, role: task.role, lag: task.lag }, 'following the changelogs of a task')
    this.#wake()
  }

  #forget(task: FollowedTask): void {
    this.#followed.delete(task.taskId)
    for (const changelog of task.changelogs) this.#reader?.remove(changelog)
    this.#options.instruments.lag.set(0, { task: task.taskId })
    this.#options.logger.info(
      { task: task.taskId, role: task.role, lag: task.lag },
      'a task is not followed any more',
    )
  }

  async #close(task: FollowedTask): Promise<void> {
    if (this.#followed.get(task.taskId) !== task) return
    this.#forget(task)
    this.#options.onClosed(task.taskId, task.state.changelogPosition())
    await task.state.close()
  }

  /** What it would read next is not in the changelog any more: all of it again. */
  async #startOver(place: TopicPartition, why: string): Promise<void> {
    const task = this.#at(place)?.task
    const described = task && this.#options.describe(task.taskId)
    if (task === undefined || described === undefined) return
    await this.#change(task.taskId, async () => {
      await this.#close(task)
      await wipeTaskState(this.#storageOf(task.taskId, described), why)
    })
  }

  // ----------------------------------------------------------------------------------------------------- following

  async #poll(): Promise<void> {
    const reader = this.#reader
    if (reader === undefined) return
    // Of before it is asked: what a process that slept meanwhile was told may be old, and is dated so.
    const now = this.#options.clock.now()
    for (const fetched of await reader.poll(pollWaitMs)) {
      await this.#options.turn(this.#stop.signal)
      if (this.#stop.signal.aborted) return
      this.#apply(reader, fetched, now)
    }
    for (const task of this.all()) {
      for (const changelog of task.changelogs) changelog.read = reader.position(changelog) ?? changelog.read
      task.refresh(now)
      this.#options.instruments.lag.set(task.lag, { task: task.taskId })
      if (task.isWarm(this.#options.acceptableLag, now, probeMs)) this.#options.onWarm(task.taskId)
    }
  }

  #apply(reader: Reader, fetched: FetchedRecords, now: number): void {
    const found = this.#at(fetched)
    if (found === undefined) return
    const { task, changelog } = found
    if (fetched.startOffset !== changelog.position) {
      // From before the task was given up and came back: what is missing in between is read again.
      reader.seek(changelog, changelog.position)
      return
    }
    const records = task.apply(changelog, fetched, now)
    this.#options.instruments.records.add(records, { role: task.role })
  }

  #at({
    topic,
    partition,
  }: TopicPartition):
    | { readonly task: FollowedTask; readonly changelog: FollowedTask['changelogs'][number] }
    | undefined {
    for (const task of this.#followed.values()) {
      const changelog = task.changelogs.find((one) => one.topic === topic && one.partition === partition)
      if (changelog !== undefined) return { task, changelog }
    }
    return undefined
  }

  #wake(): void {
    this.#changed.wake()
    this.#reader?.wakeup()
  }
}
