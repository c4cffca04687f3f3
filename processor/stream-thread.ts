/**
 * One stream thread: a loop over its tasks that computes, commits and never waits for one when it can do the other.
 *
 * While a transaction is on its way the next one is computed on top of it. A commit starts as soon as the one before
 * allows it and there is work: no interval. It owns the loop only: what a commit holds is decided in commit/seal.ts,
 * its order in commit/committer.ts, taking tasks over in takeover.ts.
 */
import { createHash } from 'node:crypto'
import { invariant, isMillraceError, messageOf } from '#core'
import type { Clock, Logger, Metrics } from '#core'
import type { GroupMetadata, Log, Membership, TopicPartition, TransactionOutcome, Transactor } from '#log'
import { taskDirectory } from '#state'
import type { StateStorage } from '#state'
import { describe } from '#topology'
import type { Topology } from '#topology'
import { Alarm } from './alarm.ts'
import { taskAssignor } from './assignment/assignor.ts'
import { encodeMemberData } from './assignment/member-data.ts'
import type { PlanOptions } from './assignment/plan.ts'
import { BackgroundTurns } from './background-turns.ts'
import { Committer } from './commit/committer.ts'
import { checkpointsOf, seal } from './commit/seal.ts'
import type { SealedTransaction } from './commit/seal.ts'
import { processorError } from './errors.ts'
import type { TaskPositions } from './process-id.ts'
import { Fetcher } from './fetcher.ts'
import { Fleet } from './fleet.ts'
import { offsetMetadata } from './former-owner.ts'
import { RepartitionPurge } from './repartition-purge.ts'
import type { PurgeLimits } from './repartition-purge.ts'
import { Signal } from './signal.ts'
import { Slots } from './slots.ts'
import { AbandonedStates } from './standby/abandoned-states.ts'
import type { FollowedRole } from './standby/followed-task.ts'
import { StandbyTasks } from './standby/standby-tasks.ts'
import { TaskRegistry } from './task-registry.ts'
import { Task } from './task.ts'
import type { PoisonHandler } from './task.ts'
import { mayBecome, threadMayBecome } from './task-states.ts'
import type { TaskStatus, ThreadStatus } from './task-states.ts'
import { takeOver } from './takeover.ts'
import { threadInstruments } from './thread-instruments.ts'
import type { ThreadInstruments } from './thread-instruments.ts'
import type { TopicCatalogue } from './topics.ts'
import { BuilderPool, TransactionOutputs } from './transaction-outputs.ts'

export interface TransactionLimits {
  /** Input records of one transaction. */
  readonly recordsMax: number
  /** Output and changelog bytes of one transaction. */
  readonly bytesMax: number
  /** Milliseconds of computing before other work of the process gets its turn. */
  readonly sliceMsMax: number
}

export interface StreamThreadOptions {
  readonly topology: Topology
  readonly topics: TopicCatalogue
  readonly log: Log
  readonly appId: string
  readonly stateDir: string
  readonly storage: StateStorage
  /** Of the state directory. */
  readonly processId: string
  /** `<app>-<processId>-<thread>`; each transactional id adds its number. */
  readonly idPrefix: string
  readonly positions: TaskPositions
  /** Where the state of its tasks can be asked for; empty: nowhere. */
  readonly endPoint: string
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly limits: TransactionLimits
  readonly exclusiveOutputs: boolean
  readonly onPoison: PoisonHandler
  readonly repartitionPurge: PurgeLimits
  readonly partitionBufferBytesMax: number
  readonly placement: PlanOptions
  /** How long the state of a task that lives elsewhere stays on this disk, milliseconds. */
  readonly stateCleanupDelayMs: number
}

/** Transactional ids a thread takes in turn. */
const transactorCount = 2
/** Records of one task before the next task has its turn. */
const shareRecords = 500
const retryWaitMs = 100
/** Each holds a reader with a fetch of each store. */
const restoredAtOnce = 8
/** How often it is noted how far states are, for the assignor after a crash. */
const noteMs = 10_000
/** Segments read for one merge transaction: a few milliseconds of work. */
const mergeBytesMax = 256 << 10

type Failure = Exclude<TransactionOutcome, { kind: 'committed' }>

const gravity = { aborted: 0, unknown: 1, fenced: 2 } as const satisfies Record<Failure['kind'], number>

/** The transaction being filled. */
interface Draft {
  readonly outputs: TransactionOutputs
  readonly tasks: Set<Task>
  records: number
}

export class StreamThread {
  readonly #options: StreamThreadOptions
  readonly #logger: Logger
  readonly #tasks = new TaskRegistry()
  readonly #signal = new Signal()
  readonly #pool = new BuilderPool()
  readonly #stop = new AbortController()
  readonly #alarm: Alarm
  readonly #purge: RepartitionPurge
  readonly #settling = new Set<Promise<void>>()
  readonly #takeovers = new Map<Task, Takeover>()
  readonly #turns: BackgroundTurns
  readonly #restoreSlots = new Slots(restoredAtOnce)
  readonly #standbys: StandbyTasks
  readonly #abandoned: AbandonedStates
  /** Following and cleaning up, until they have ended. */
  #background: Promise<void> = Promise.resolve()
  #notedAt = -Infinity
  readonly #instruments: ThreadInstruments
  #status: ThreadStatus = 'created'
  readonly #transactors: Transactor[] = []
  #committer: Committer
  #fetcher: Fetcher | undefined
  #membership: Membership | undefined
  #draft: Draft
  /** One of the transactions that failed may be in the log. */
  #isUnknown = false
  /** Set when a transaction was not committed; the loop then starts over from committed positions. */
  #failedOutcome: (Failure & { readonly as: GroupMetadata }) | undefined
  /** What the group asks to give back, and whom to tell when that is done. */
  readonly #handovers: Handover[] = []
  /** As whom the last transaction was fenced although this thread was, and is, that member. */
  #fencedAs: GroupMetadata | undefined
  readonly #fleet: Fleet
  readonly #topologyHash: string
  /** The transactional ids may have been taken over: they are taken again before the next task is. */
  #transactorsGone = false
  #reopening: Promise<void> | undefined
  /** What ended the thread from outside its loop. */
  #failure: { readonly error: unknown } | undefined
  #loop: Promise<void> | undefined
  #assignedOnce = false

  constructor(options: StreamThreadOptions) {
    this.#options = options
    this.#topologyHash = createHash('sha256').update(describe(options.topology)).digest('hex').slice(0, 16)
    this.#logger = options.logger.child({ thread: options.idPrefix })
    this.#instruments = threadInstruments(options.metrics)
    this.#fleet = new Fleet(options)
    this.#purge = new RepartitionPurge({
      admin: options.log.admin,
      topics: options.topics.repartition,
      clock: options.clock,
      logger: this.#logger,
      limits: options.repartitionPurge,
    })
    this.#alarm = new Alarm(options.clock, () => this.#signal.wake())
    this.#turns = new BackgroundTurns(options.clock, () =>
      this.#tasks.running().some(({ hasWork }) => hasWork),
    )
    this.#standbys = this.#newStandbys()
    this.#abandoned = new AbandonedStates({
      ...options,
      logger: this.#logger,
      directoryOf: (taskId) => this.#directoryOf(taskId),
      used: () => (this.#assignedOnce ? this.#tasksOfProcess() : undefined),
      delayMs: options.stateCleanupDelayMs,
    })
    this.#committer = this.#newCommitter()
    this.#draft = this.#newDraft()
  }

  get status(): ThreadStatus {
    return this.#status
  }

  tasks(): readonly TaskDescription[] {
    const active = this.#tasks.all().map(({ taskId, status, inputs }) => ({
      taskId,
      role: 'active' as const,
      status,
      lag: inputs.reduce((sum, input) => sum + Math.max(0, input.highWatermark - input.position), 0),
    }))
    const followed = this.#standbys.all().map(({ taskId, role, lag }) => ({
      taskId,
      role,
      status: 'following' as const,
      lag,
    }))
    return [...active, ...followed]
  }

  /** True once tasks were assigned and all of them are restored. */
  get ready(): boolean {
    return this.#assignedOnce && this.#tasks.all().every(({ status }) => status === 'running')
  }

  /** Takes the transactional ids over and joins the group. Tasks arrive afterwards. */
  async start(): Promise<void> {
    const { log, appId, topology, topics, clock, idPrefix } = this.#options
    this.#become('starting')
    await this.#openTransactors()
    this.#fetcher = new Fetcher({
      reader: log.reader(),
      tasks: this.#tasks,
      signal: this.#signal,
      clock,
      logger: this.#logger,
      bufferBytesMax: this.#options.partitionBufferBytesMax,
      purgedTopics: topics.repartition,
    })
    this.#membership = await log.join({
      group: appId,
      topics: [...topics.sources.keys()],
      assignor: taskAssignor(topology, this.#options.placement),
      userData: () => this.#memberData(),
      // A process that comes back takes its own place at once, instead of after the session of the one before.
      instanceId: idPrefix,
      listener: {
        assigned: async (partitions, userData) => this.#assigned(partitions, userData),
        revoked: (partitions) => this.#handBack('revoked', partitions),
        lost: (partitions) => this.#handBack('lost', partitions),
        ended: (error) => this.#ended(error),
      },
    })
    this.#become('running')
  }

  /** Runs until `stop`, or rejects with what ended the thread. */
  run(): Promise<void> {
    this.#loop ??= this.#run()
    return this.#loop
  }

  /** Commits what is computed, leaves the group and closes everything. Resolves when done; never rejects. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.#signal.wake()
    try {
      await this.#loop
    } catch {
      // `run` has told its caller.
    }
    await this.#close()
  }

  async #run(): Promise<void> {
    try {
      this.#fetch().catch((error: unknown) => this.#fail(error))
      this.#background = this.#runBackground()
      while (!this.#stop.signal.aborted) {
        if (this.#failure !== undefined) throw this.#failure.error
        if (this.#handovers.some(({ kind }) => kind === 'lost')) await this.#loseNow()
        if (this.#failedOutcome !== undefined) await this.#recover(this.#failedOutcome)
        if (this.#handovers.length > 0) await this.#revokeNow()
        this.#notePositions()
        this.#punctuateWallClock()
        const computed = this.#computeSlice()
        const committed = this.#commitWhenPossible()
        if (computed || committed || this.#mergeWhenQuiet()) await this.#options.clock.yield()
        else {
          this.#turns.quiet()
          await this.#signal.wait()
        }
      }
      this.#become('stopping')
      await this.#drain()
    } catch (error) {
      this.#become('failed')
      this.#logger.error({ error }, 'stream thread failed')
      throw error
    }
  }

  /** Reads until the thread is closed. That a partition has another owner by now the group tells in its own time. */
  async #fetch(): Promise<void> {
    for (;;) {
      try {
        return await this.#fetcher?.run()
      } catch (error) {
        if (!isMillraceError(error, 'PROCESSOR_FENCED')) throw error
        const { topic, partition } = error.context as { readonly topic: string; readonly partition: number }
        const isOurs = this.#tasks.inputOf({ topic, partition }) !== undefined
        if (isOurs && (await this.#isMember())) throw error
        if (this.#stop.signal.aborted) return
        await this.#options.clock.sleep(retryWaitMs, this.#stop.signal)
      }
    }
  }

  /** Ends the loop with an error that happened outside of it. The first one counts. */
  #fail(error: unknown): void {
    this.#failure ??= { error }
    this.#signal.wake()
  }

  // ------------------------------------------------------------------------------------------------------ compute

  /** Lets each running task with buffered records compute a share, in turn; false when nothing could be done. */
  #computeSlice(): boolean {
    const { limits, clock } = this.#options
    const until = clock.now() + limits.sliceMsMax
    let worked = false
    for (let progress = true; progress && clock.now() < until;) {
      progress = false
      for (const task of this.#tasks.running()) {
        if (this.#draftIsFull()) return worked
        const share = Math.min(shareRecords, limits.recordsMax - this.#draft.records)
        const processed = this.#compute(task, share)
        if (processed > 0) progress = worked = true
      }
    }
    return worked
  }

  #compute(task: Task, share: number): number {
    if (!task.hasWork) return 0
    const left = this.#options.limits.bytesMax - this.#draftBytes()
    const processed = task.process(share, left, this.#draft.outputs)
    if (processed === 0) return 0
    this.#draft.tasks.add(task)
    this.#draft.records += processed
    this.#instruments.processed.add(processed)
    this.#fetcher?.resumeDrained()
    return processed
  }

  /** Calls the wall-clock punctuators that are due, and sees to it that the loop wakes for the next. */
  #punctuateWallClock(): void {
    // A full draft waits for a commit, whose end wakes the loop.
    if (this.#draftIsFull()) return
    let next = Infinity
    for (const task of this.#tasks.running()) {
      const due = task.nextWallClock()
      if (due === undefined) continue
      if (due <= this.#options.clock.now() && task.punctuateWallClock(this.#draft.outputs)) {
        this.#draft.tasks.add(task)
      }
      next = Math.min(next, task.nextWallClock() ?? Infinity)
    }
    this.#alarm.set(next)
  }

  #draftIsFull(): boolean {
    const { recordsMax, bytesMax } = this.#options.limits
    return this.#draft.records >= recordsMax || this.#draftBytes() >= bytesMax
  }

  /** What the transaction being filled holds in memory: outputs, and state that becomes changelog when it is sealed. */
  #draftBytes(): number {
    let bytes = this.#draft.outputs.writtenBytes
    for (const task of this.#draft.tasks) bytes += task.state.pendingBytes
    return bytes
  }

  #newDraft(): Draft {
    const { topics } = this.#options
    return {
      outputs: new TransactionOutputs(this.#pool, (topic) => topics.maxMessageBytes(topic)),
      tasks: new Set(),
      records: 0,
    }
  }

  /**
   * With no input and nothing on its way, a task may put its sets in order: the merge goes into the draft, and the task
   * takes part in the transaction with its current position, which fences it. One task at a time, so that a record
   * that comes meanwhile waits for little. True when there is something to commit.
   */
  #mergeWhenQuiet(): boolean {
    if (this.#settling.size > 0 || this.#draft.tasks.size > 0 || this.#failedOutcome !== undefined)
      return false
    const task = this.#tasks.running().find(({ state }) => state.mergeSegments(mergeBytesMax))
    if (task === undefined) return false
    this.#draft.tasks.add(task)
    return true
  }

  // ------------------------------------------------------------------------------------------------------- commit

  /** True when a commit was started. */
  #commitWhenPossible(): boolean {
    if (this.#draft.tasks.size === 0 || !this.#committer.free || this.#failedOutcome !== undefined)
      return false
    const { clock, topics, idPrefix } = this.#options
    const draft = this.#draft
    this.#draft = this.#newDraft()
    invariant(this.#membership !== undefined, 'a thread commits as a member of its group')
    const sealed = seal({
      outputs: draft.outputs,
      tasks: [...draft.tasks],
      group: this.#membership.metadata(),
      changelog: (store) => topics.changelog(store),
      now: clock.now(),
      offsetMetadata: (streamTime) => offsetMetadata(idPrefix, transactorCount, streamTime),
    })
    const settling = this.#settle(sealed, this.#committer.commit(sealed.request), clock.now())
    this.#settling.add(settling)
    void settling.finally(() => {
      this.#settling.delete(settling)
      this.#signal.wake()
    })
    return true
  }

  async #settle(
    sealed: SealedTransaction,
    committing: Promise<TransactionOutcome>,
    startedAt: number,
  ): Promise<void> {
    const outcome = await committing
    const seconds = (this.#options.clock.now() - startedAt) / 1000
    this.#instruments.commit.observe(seconds, { outcome: outcome.kind })
    if (outcome.kind !== 'committed') {
      this.#noteFailure(outcome, sealed.request.group)
      return
    }
    // What came before could not be applied: on top of it this would be a gap. Taking over brings both back.
    if (this.#failedOutcome !== undefined) return
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

  /** The gravest failure decides how to start over; what was in flight behind the first was given up with it. */
  #noteFailure(failed: Failure, as: GroupMetadata): void {
    if (failed.kind === 'unknown') this.#isUnknown = true
    const known = this.#failedOutcome
    if (known === undefined || gravity[failed.kind] > gravity[known.kind])
      this.#failedOutcome = { ...failed, as }
  }

  /** Waits for what is in flight, then commits the draft and waits for that too. */
  async #drain(): Promise<void> {
    for (;;) {
      await this.#settled()
      if (this.#failedOutcome !== undefined || this.#draft.tasks.size === 0) return
      this.#commitWhenPossible()
    }
  }

  async #settled(): Promise<void> {
    while (this.#settling.size > 0) await Promise.all(this.#settling)
  }

  /** Starts over from committed positions after a transaction that was not committed. */
  async #recover(first: Failure & { readonly as: GroupMetadata }): Promise<void> {
    await this.#settled()
    this.#draft = this.#newDraft()
    // What was in flight may have made it worse.
    const failed = this.#failedOutcome ?? first
    const kind = failed.kind === 'fenced' ? await this.#whyFenced(failed) : failed.kind
    if (kind === 'stopped') return
    this.#logger.warn(
      { outcome: failed.kind, error: failed.error },
      'transaction not committed, starting over',
    )
    if (failed.kind !== 'fenced') await this.#options.clock.sleep(retryWaitMs, this.#stop.signal)
    this.#failedOutcome = undefined
    const isUnknown = this.#isUnknown || kind === 'unknown'
    this.#isUnknown = false
    if (kind === 'lost') return this.#dropAll()
    const tasks = this.#tasks.running()
    if (isUnknown) {
      await this.#openTransactors()
      for (const task of tasks) await this.#takeOverOrGiveUp(task)
      return
    }
    this.#committer = this.#newCommitter()
    this.#rewind(tasks)
  }

  /** `lost`: not a member any more. `aborted`: one of a newer generation. `unknown`: it was not the group. */
  async #whyFenced(
    failed: Failure & { readonly as: GroupMetadata },
  ): Promise<'lost' | 'aborted' | 'unknown' | 'stopped'> {
    invariant(this.#membership !== undefined, 'a thread commits as a member of its group')
    const isMember = await this.#confirm()
    if (isMember === undefined) return 'stopped'
    if (!isMember) return 'lost'
    const now = this.#membership.metadata()
    if (!isSame(now, failed.as)) {
      // The group went on while it was under way: the same work again, as a member of the generation that is.
      const aborted = await Promise.allSettled(this.#transactors.map((transactor) => transactor.abort()))
      return aborted.every(({ status }) => status === 'fulfilled') ? 'aborted' : 'unknown'
    }
    // A successor that took this member for dead has let go by now; one that has the same ids comes again.
    if (this.#fencedAs === undefined || !isSame(now, this.#fencedAs)) {
      this.#fencedAs = now
      return 'unknown'
    }
    throw processorError(
      'PROCESSOR_FENCED',
      `Another process has taken over the work of ${this.#options.idPrefix}: ${failed.error.message} ` +
        'Nothing of what this process had not committed was written. Run one process for each STATE_DIR.',
      { cause: failed.error },
    )
  }

  /** Whether this thread is a member of its group; undefined when it is stopped before the group has said so. */
  #confirm(): Promise<boolean | undefined> {
    const { signal } = this.#stop
    const stopped = new Promise<undefined>((resolve) => {
      if (signal.aborted) resolve(undefined)
      signal.addEventListener('abort', () => resolve(undefined), { once: true })
    })
    return Promise.race([this.#membership?.confirm(), stopped])
  }

  /** What the group says about it for good counts as no. */
  async #isMember(): Promise<boolean> {
    try {
      return (await this.#confirm()) === true
    } catch (error) {
      this.#fail(error)
      return false
    }
  }

  #rewind(tasks: readonly Task[]): void {
    for (const task of tasks) {
      task.rewind()
      this.#fetcher?.follow(task.settledOffsets())
    }
  }

  async #openTransactors(): Promise<void> {
    const { log, idPrefix } = this.#options
    for (const transactor of this.#transactors.splice(0)) await transactor.close()
    for (let number = 0; number < transactorCount; number++) {
      const id = `${idPrefix}-${number}`
      const opened = await this.#untilReachable(`transactional id ${id}`, this.#stop.signal, () =>
        log.transactor(id),
      )
      if (opened === undefined) return
      this.#transactors.push(opened)
    }
    this.#transactorsGone = false
    this.#committer = this.#newCommitter()
  }

  /** Tries as often as it takes while the log says that trying again helps; undefined when it is given up. */
  async #untilReachable<T>(
    what: string,
    signal: AbortSignal,
    action: () => Promise<T>,
  ): Promise<T | undefined> {
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        return await action()
      } catch (error) {
        if (!isMillraceError(error) || error.reaction !== 'retry') throw error
        if (attempt === 1) this.#logger.warn({ what, error }, 'not possible yet, trying again')
        await this.#options.clock.sleep(retryWaitMs, signal)
      }
    }
    return undefined
  }

  #newCommitter(): Committer {
    return new Committer(this.#transactors, () => this.#signal.wake())
  }

  // --------------------------------------------------------------------------------------------------- assignment

  /** What the assignor is to know of this thread, as of now. */
  #memberData(): Uint8Array {
    const { processId, idPrefix, endPoint, positions } = this.#options
    const running = this.#runningPositions()
    const following = this.#followingPositions()
    positions.note(new Map([...running, ...following]))
    const isHere = (id: string): boolean => following.has(id) || this.#tasks.get(id) !== undefined
    const stored = [...positions.all()].filter(([id]) => !isHere(id))
    const tasks = [
      ...[...running].map(([id, position]) => ({ id, role: 'active' as const, position })),
      ...[...following].map(([id, position]) => ({ id, role: 'following' as const, position })),
      ...stored.map(([id, position]) => ({ id, role: 'stored' as const, position })),
    ]
    return encodeMemberData({
      processId,
      idPrefix,
      capacity: 1,
      endPoint,
      topologyHash: this.#topologyHash,
      tasks,
    })
  }

  #runningPositions(): Map<string, number> {
    return new Map(this.#tasks.running().map((task) => [task.taskId, task.state.changelogPosition()]))
  }

  #followingPositions(): Map<string, number> {
    return new Map(this.#standbys.all().map(({ taskId, state }) => [taskId, state.changelogPosition()]))
  }

  /** A crash leaves no chance to say how far states are. */
  #notePositions(): void {
    const now = this.#options.clock.now()
    if (now - this.#notedAt < noteMs) return
    this.#notedAt = now
    this.#options.positions.note(new Map([...this.#runningPositions(), ...this.#followingPositions()]))
  }

  /** Only notes the new tasks: restoring them must not hold up the group. */
  #assigned(partitions: readonly TopicPartition[], userData: Uint8Array): void {
    this.#fleet.hear(userData)
    this.#standbys.want(this.#fleet.followed((taskId) => this.#standbys.isFollowed(taskId)))
    const { topology, topics, onPoison, clock } = this.#options
    for (const { topic, partition } of partitions) {
      const subtopology = topology.subtopologies.find(({ sourceTopics }) => sourceTopics.includes(topic))
      invariant(subtopology !== undefined, `topic ${topic} is read by the topology`)
      if (this.#tasks.get(`${subtopology.id}_${partition}`) !== undefined) continue
      const task = new Task({
        topology,
        subtopology,
        partition,
        topics,
        onPoison,
        clock,
        logger: this.#logger,
        onPunctuatorFailed: (failed) => this.#instruments.punctuatorsFailed.add(1, failed),
      })
      this.#tasks.add(task)
      void this.#takeOverOrGiveUp(task)
    }
    this.#assignedOnce = true
  }

  /** Restores a task and lets it run; given up without an error when the task is closed meanwhile. */
  async #takeOver(task: Task): Promise<void> {
    this.#setTaskStatus(task, 'restoring')
    this.#fetcher?.forget(task.inputs)
    const abort = new AbortController()
    // The end of the thread ends it too: the loop may be waiting for it.
    const signal = AbortSignal.any([abort.signal, this.#stop.signal])
    // The log may be away, or a former owner's transaction undecided.
    const done = this.#untilReachable(`task ${task.taskId}`, signal, async () => {
      if (this.#transactorsGone) await this.#reopenTransactors()
      const followed = task.hasState ? undefined : await this.#standbys.surrender(task.taskId)
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
    this.#setTaskStatus(task, 'running')
    this.#fetcher?.follow(task.settledOffsets())
    this.#signal.wake()
  }

  /** Never rejects. A task that has another owner by now is left as it is, and closed when the group says so. */
  async #takeOverOrGiveUp(task: Task): Promise<void> {
    try {
      await this.#takeOver(task)
    } catch (error) {
      const isOurs = this.#tasks.get(task.taskId) === task
      if (isMillraceError(error, 'PROCESSOR_FENCED') && !(isOurs && (await this.#isMember()))) return
      this.#fail(error)
    }
  }

  #restore(task: Task, signal: AbortSignal): Promise<void> {
    const { log, clock, appId, storage, topics, exclusiveOutputs, idPrefix } = this.#options
    return takeOver({
      log,
      clock,
      logger: this.#logger,
      group: appId,
      storage,
      directory: this.#directoryOf(task.taskId),
      task,
      changelog: (store) => topics.changelog(store),
      deleteRetentionMs: (topic) => topics.deleteRetentionMs(topic),
      purgedTopics: topics.repartition,
      exclusiveOutputs,
      signal,
      isMember: (one) => one === idPrefix || this.#fleet.mayHave(one),
      instruments: this.#instruments.restore,
      turn: (aborted) => this.#turns.next(aborted),
      slots: this.#restoreSlots,
    })
  }

  /** Resolves when the loop has closed the tasks. */
  #handBack(kind: Handover['kind'], partitions: readonly TopicPartition[]): Promise<void> {
    const tasks = this.#tasks.reading(partitions)
    // Once the loop has ended there is nothing to commit, and `#close` closes the tasks.
    if (tasks.length === 0 || this.#status !== 'running') return Promise.resolve()
    return new Promise((resolve) => {
      this.#handovers.push({ kind, tasks, done: resolve })
      this.#signal.wake()
    })
  }

  async #revokeNow(): Promise<void> {
    await this.#drain()
    if (this.#failedOutcome !== undefined) return
    await this.#closeHandedOver()
  }

  /** Drops all that is not committed: of the lost tasks nothing can be, and the draft may hold work of them. */
  async #loseNow(): Promise<void> {
    await this.#settled()
    this.#draft = this.#newDraft()
    await this.#closeHandedOver()
    if (this.#tasks.all().length > 0) return this.#rewind(this.#tasks.running())
    this.#failedOutcome = undefined
    this.#isUnknown = false
    this.#forgetTransactors()
  }

  /** Everything was lost, whether the group has said so already or not. */
  async #dropAll(): Promise<void> {
    for (const task of this.#tasks.all()) await this.#closeTask(task)
    await this.#closeHandedOver()
    this.#forgetTransactors()
  }

  async #closeHandedOver(): Promise<void> {
    for (const { kind, tasks, done } of this.#handovers.splice(0)) {
      for (const task of tasks) {
        if (this.#tasks.get(task.taskId) === task) await this.#closeTask(task, kind === 'revoked')
      }
      done()
    }
  }

  #tasksOfProcess(): ReadonlySet<string> {
    const here = [...this.#tasks.all(), ...this.#standbys.all()].map(({ taskId }) => taskId)
    return new Set([...here, ...this.#fleet.tasksOfProcess()])
  }

  #newStandbys(): StandbyTasks {
    const { log, clock, storage, topology, topics, placement, positions } = this.#options
    const { restore, standbyLag } = this.#instruments
    return new StandbyTasks({
      log,
      clock,
      logger: this.#logger,
      storage,
      describe: (taskId) => {
        const [id, partition] = taskId.split('_').map(Number)
        const subtopology = topology.subtopologies.find((one) => one.id === id)
        if (subtopology === undefined || partition === undefined || subtopology.stores.length === 0) {
          return undefined
        }
        return { partition, directory: this.#directoryOf(taskId), stores: subtopology.stores }
      },
      changelog: (store) => topics.changelog(store),
      deleteRetentionMs: (topic) => topics.deleteRetentionMs(topic),
      isActive: (taskId) => this.#tasks.get(taskId) !== undefined,
      turn: (aborted) => this.#turns.next(aborted),
      acceptableLag: placement.acceptableLag,
      onWarm: (taskId) => {
        this.#logger.info({ task: taskId }, 'task warmed up, asking the group to move it')
        this.#membership?.rebalance()
      },
      onClosed: (taskId, position) => positions.note(new Map([[taskId, position]])),
      instruments: { ...restore, lag: standbyLag },
    })
  }

  #directoryOf(taskId: string): string {
    return taskDirectory(this.#options.stateDir, this.#options.appId, taskId)
  }

  /** What goes wrong with it ends the thread. */
  async #runBackground(): Promise<void> {
    const { signal } = this.#stop
    const fail = (error: unknown): void => this.#fail(error)
    await Promise.all([this.#standbys.run().catch(fail), this.#abandoned.run(signal).catch(fail)])
  }

  /**
   * Takes the transactional ids again, at once: what they may have open holds up the successors, who wait for a member
   * that the group has taken back.
   */
  #forgetTransactors(): void {
    this.#assignedOnce = false
    this.#transactorsGone = true
    this.#reopenTransactors().catch((error: unknown) => this.#fail(error))
  }

  /** One at a time, whoever needs it first. */
  #reopenTransactors(): Promise<void> {
    this.#reopening ??= this.#openTransactors().finally(() => (this.#reopening = undefined))
    return this.#reopening
  }

  #ended(error: Error): void {
    if (this.#stop.signal.aborted) return
    const message = `The place of ${this.#options.idPrefix} in the group is gone: ${error.message}`
    const fenced = isMillraceError(error, 'LOG_FENCED')
    this.#fail(fenced ? processorError('PROCESSOR_FENCED', message, { cause: error }) : error)
  }

  // --------------------------------------------------------------------------------------------------- life cycle

  /** @param mayFollow its state may stay open, to be followed */
  async #closeTask(task: Task, mayFollow = false): Promise<void> {
    const takeover = this.#takeovers.get(task)
    takeover?.abort.abort()
    // What went wrong with it no longer matters, but its hands have to be off the state.
    await takeover?.done.catch(() => {})
    this.#fetcher?.forget(task.inputs)
    if (task.status === 'running') {
      this.#options.positions.note(new Map([[task.taskId, task.state.changelogPosition()]]))
    }
    this.#tasks.delete(task)
    this.#setTaskStatus(task, 'closed')
    const state = task.detach()
    if (state === undefined) return
    const follow = mayFollow && !this.#fleet.isForSibling(task.taskId)
    if (follow && this.#standbys.adopt(task.taskId, state)) return
    await state.close()
    this.#standbys.released()
  }

  async #close(): Promise<void> {
    this.#alarm.set(Infinity)
    await this.#fetcher?.close()
    // A commit that is still under way writes into the state when it is done.
    await this.#settled()
    await this.#standbys.close(this.#background)
    for (const task of this.#tasks.all()) await this.#closeTask(task)
    for (const { done } of this.#handovers.splice(0)) done()
    await this.#purge.close()
    await this.#reopening?.catch(() => undefined)
    await this.#membership?.leave()
    for (const transactor of this.#transactors) await transactor.close()
    if (threadMayBecome(this.#status, 'stopped')) this.#become('stopped')
  }

  #become(status: ThreadStatus): void {
    invariant(threadMayBecome(this.#status, status), `a thread does not go from ${this.#status} to ${status}`)
    this.#logger.info({ from: this.#status, to: status }, 'thread state changed')
    this.#status = status
  }

  #setTaskStatus(task: Task, status: TaskStatus): void {
    invariant(mayBecome(task.status, status), `a task does not go from ${task.status} to ${status}`)
    this.#logger.info({ task: task.taskId, from: task.status, to: status }, 'task state changed')
    task.status = status
  }
}

/** Tasks that the group takes back: committed first (`revoked`), or gone already (`lost`). */
interface Handover {
  readonly kind: 'revoked' | 'lost'
  readonly tasks: readonly Task[]
  readonly done: () => void
}

interface Takeover {
  readonly abort: AbortController
  readonly done: Promise<void>
}

export interface TaskDescription {
  readonly taskId: string
  /** Only an active task processes; the others keep a copy of its state. */
  readonly role: 'active' | FollowedRole
  readonly status: TaskStatus | 'following'
  /** Records that are not processed, or changelog offsets that are not in the copy, as far as is known. */
  readonly lag: number
}

function isSame(one: GroupMetadata, other: GroupMetadata): boolean {
  return one.memberId === other.memberId && one.generation === other.generation
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(messageOf(error))
}
