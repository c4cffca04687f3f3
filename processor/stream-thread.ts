/**
 * One stream thread: a loop over its tasks that computes, commits and never waits for one when it can do the other.
 *
 * While a transaction is on its way the next one is computed on top of it. A commit starts as soon as the one before
 * allows it and there is work: no interval. It owns the loop only: what a commit holds is decided in commit/seal.ts,
 * its order in commit/committer.ts, taking tasks over in takeover.ts.
 */
import { invariant, isMillraceError, messageOf } from '#core'
import type { Clock, Counter, Histogram, Logger, Metrics } from '#core'
import type { Log, Membership, TopicPartition, TransactionOutcome, Transactor } from '#log'
import { taskDirectory } from '#state'
import type { StateStorage } from '#state'
import type { Topology } from '#topology'
import { Alarm } from './alarm.ts'
import { stickyAssignor } from './assignment/assignor.ts'
import { Committer } from './commit/committer.ts'
import { checkpointsOf, seal } from './commit/seal.ts'
import type { SealedTransaction } from './commit/seal.ts'
import { processorError } from './errors.ts'
import { Fetcher } from './fetcher.ts'
import { RepartitionPurge } from './repartition-purge.ts'
import type { PurgeLimits } from './repartition-purge.ts'
import { Signal } from './signal.ts'
import { TaskRegistry } from './task-registry.ts'
import { Task } from './task.ts'
import type { PoisonHandler } from './task.ts'
import { mayBecome, threadMayBecome } from './task-states.ts'
import type { TaskStatus, ThreadStatus } from './task-states.ts'
import { offsetMetadata, takeOver } from './takeover.ts'
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
  /** `<app>-<processId>-<thread>`; each transactional id adds its number. */
  readonly idPrefix: string
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly limits: TransactionLimits
  readonly exclusiveOutputs: boolean
  readonly onPoison: PoisonHandler
  readonly repartitionPurge: PurgeLimits
  readonly partitionBufferBytesMax: number
}

/** Transactional ids a thread takes in turn. */
const transactorCount = 2
/** Records of one task before the next task has its turn. */
const shareRecords = 500
const retryWaitMs = 100
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
  readonly #instruments: Instruments
  #status: ThreadStatus = 'created'
  readonly #transactors: Transactor[] = []
  #committer: Committer
  #fetcher: Fetcher | undefined
  #membership: Membership | undefined
  #draft: Draft
  /** Set when a transaction was not committed; the loop then starts over from committed positions. */
  #failedOutcome: Failure | undefined
  /** Tasks to commit and close on behalf of a rebalance, and whom to tell. */
  readonly #revocations: { readonly tasks: readonly Task[]; readonly done: () => void }[] = []
  /** What ended the thread from outside its loop. */
  #failure: { readonly error: unknown } | undefined
  #loop: Promise<void> | undefined
  #assignedOnce = false

  constructor(options: StreamThreadOptions) {
    this.#options = options
    this.#logger = options.logger.child({ thread: options.idPrefix })
    this.#instruments = instrumentsOf(options.metrics)
    this.#purge = new RepartitionPurge({
      admin: options.log.admin,
      topics: options.topics.repartition,
      clock: options.clock,
      logger: this.#logger,
      limits: options.repartitionPurge,
    })
    this.#alarm = new Alarm(options.clock, () => this.#signal.wake())
    this.#committer = this.#newCommitter()
    this.#draft = this.#newDraft()
  }

  get status(): ThreadStatus {
    return this.#status
  }

  tasks(): readonly { readonly taskId: string; readonly status: TaskStatus; readonly lag: number }[] {
    return this.#tasks.all().map((task) => ({
      taskId: task.taskId,
      status: task.status,
      lag: task.inputs.reduce((sum, input) => sum + Math.max(0, input.highWatermark - input.position), 0),
    }))
  }

  /** True once tasks were assigned and all of them are restored. */
  get ready(): boolean {
    return this.#assignedOnce && this.#tasks.all().every(({ status }) => status === 'running')
  }

  /** Takes the transactional ids over and joins the group. Tasks arrive afterwards. */
  async start(): Promise<void> {
    const { log, appId, topology, topics, clock } = this.#options
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
      assignor: stickyAssignor(topology),
      listener: {
        assigned: async (partitions) => this.#assigned(partitions),
        revoked: (partitions) => this.#revoked(partitions),
        lost: async (partitions) => this.#lost(partitions),
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
      this.#fetcher?.run().catch((error: unknown) => this.#fail(error))
      while (!this.#stop.signal.aborted) {
        if (this.#failure !== undefined) throw this.#failure.error
        if (this.#failedOutcome !== undefined) await this.#recover(this.#failedOutcome)
        if (this.#revocations.length > 0) await this.#revokeNow()
        this.#punctuateWallClock()
        const computed = this.#computeSlice()
        const committed = this.#commitWhenPossible()
        if (computed || committed || this.#mergeWhenQuiet()) await this.#options.clock.yield()
        else await this.#signal.wait()
      }
      this.#become('stopping')
      await this.#drain()
    } catch (error) {
      this.#become('failed')
      this.#logger.error({ error }, 'stream thread failed')
      throw error
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
      this.#noteFailure(outcome)
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
      this.#noteFailure({ kind: 'unknown', error: asError(error) })
    }
  }

  /** The gravest failure decides how to start over; what was in flight behind the first was given up with it. */
  #noteFailure(failed: Failure): void {
    const known = this.#failedOutcome
    if (known === undefined || gravity[failed.kind] > gravity[known.kind]) this.#failedOutcome = failed
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
  async #recover(failed: Failure): Promise<void> {
    await this.#settled()
    this.#draft = this.#newDraft()
    if (failed.kind === 'fenced') {
      throw processorError(
        'PROCESSOR_FENCED',
        `Another process has taken over the work of ${this.#options.idPrefix}: ${failed.error.message} ` +
          'Nothing of what this process had not committed was written. Run one process for each STATE_DIR.',
        { cause: failed.error },
      )
    }
    this.#logger.warn(
      { outcome: failed.kind, error: failed.error },
      'transaction not committed, starting over',
    )
    await this.#options.clock.sleep(retryWaitMs, this.#stop.signal)
    this.#failedOutcome = undefined
    const tasks = this.#tasks.running()
    if (failed.kind === 'unknown') {
      await this.#openTransactors()
      for (const task of tasks) await this.#takeOver(task)
      return
    }
    this.#committer = this.#newCommitter()
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

  /** Only notes the new tasks: restoring them must not hold up the group. */
  #assigned(partitions: readonly TopicPartition[]): void {
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
      this.#takeOver(task).catch((error: unknown) => this.#fail(error))
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
    const done = this.#untilReachable(`task ${task.taskId}`, signal, () => this.#restore(task, signal))
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

  #restore(task: Task, signal: AbortSignal): Promise<void> {
    const { log, clock, appId, stateDir, storage, topics, exclusiveOutputs } = this.#options
    return takeOver({
      log,
      clock,
      logger: this.#logger,
      group: appId,
      storage,
      directory: taskDirectory(stateDir, appId, task.taskId),
      task,
      changelog: (store) => topics.changelog(store),
      deleteRetentionMs: (topic) => topics.deleteRetentionMs(topic),
      purgedTopics: topics.repartition,
      exclusiveOutputs,
      signal,
      onProgress: ({ store, position, target }) => {
        this.#instruments.restoreRemaining(task.taskId, store, Math.max(0, target - position))
      },
    })
  }

  #revoked(partitions: readonly TopicPartition[]): Promise<void> {
    const tasks = this.#tasks.reading(partitions)
    // Once the loop has ended there is nothing to commit, and `#close` closes the tasks.
    if (tasks.length === 0 || this.#status !== 'running') return Promise.resolve()
    return new Promise((resolve) => {
      this.#revocations.push({ tasks, done: resolve })
      this.#signal.wake()
    })
  }

  async #revokeNow(): Promise<void> {
    await this.#drain()
    if (this.#failedOutcome !== undefined) return
    for (const { tasks, done } of this.#revocations.splice(0)) {
      for (const task of tasks) await this.#closeTask(task)
      done()
    }
  }

  #lost(partitions: readonly TopicPartition[]): void {
    if (this.#stop.signal.aborted) return
    const names = partitions.map(({ topic, partition }) => `${topic}-${partition}`).join(', ')
    this.#fail(
      processorError(
        'PROCESSOR_FENCED',
        `The group has given ${names} to another member. Start again to rejoin.`,
      ),
    )
  }

  // --------------------------------------------------------------------------------------------------- life cycle

  async #closeTask(task: Task): Promise<void> {
    const takeover = this.#takeovers.get(task)
    takeover?.abort.abort()
    // What went wrong with it no longer matters, but its hands have to be off the state.
    await takeover?.done.catch(() => {})
    this.#fetcher?.forget(task.inputs)
    this.#tasks.delete(task)
    this.#setTaskStatus(task, 'closed')
    await task.close()
  }

  async #close(): Promise<void> {
    this.#alarm.set(Infinity)
    await this.#fetcher?.close()
    // A commit that is still under way writes into the state when it is done.
    await this.#settled()
    for (const task of this.#tasks.all()) await this.#closeTask(task)
    for (const { done } of this.#revocations.splice(0)) done()
    await this.#purge.close()
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

interface Takeover {
  readonly abort: AbortController
  readonly done: Promise<void>
}

interface Instruments {
  readonly processed: Counter
  readonly punctuatorsFailed: Counter
  readonly commit: Histogram
  restoreRemaining(task: string, store: string, records: number): void
}

function instrumentsOf(metrics: Metrics): Instruments {
  const remaining = metrics.gauge({
    name: 'streams_restore_remaining_records',
    help: 'Changelog offsets still to be read before the task may process.',
    labels: ['task', 'store'],
  })
  return {
    processed: metrics.counter({ name: 'streams_records_processed_total', help: 'Input records processed.' }),
    punctuatorsFailed: metrics.counter({
      name: 'streams_punctuators_failed_total',
      help: 'Calls of punctuators that threw and were taken back.',
      labels: ['processor', 'punctuator'],
    }),
    commit: metrics.histogram({
      name: 'streams_commit_duration_seconds',
      help: 'From sealing a transaction to knowing its outcome.',
      labels: ['outcome'],
    }),
    restoreRemaining: (task, store, records) => remaining.set(records, { task, store }),
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(messageOf(error))
}
