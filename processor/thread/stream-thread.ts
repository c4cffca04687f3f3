/**
 * One stream thread: a loop over its tasks that computes, commits and never waits for one when it can do the other.
 *
 * While a transaction is on its way the next one is computed on top of it. A commit starts as soon as the one before
 * allows it and there is work: no interval. This is the loop, its beginning and its end; each part of it has a file
 * of its own here: computation.ts fills drafts, transactions.ts commits them, recovery.ts starts over when that failed,
 * task-lifecycle.ts takes tasks over and closes them, group-member.ts is the thread's place in the group.
 */
import { invariant, isMillraceError } from '#core'
import type { TopicPartition } from '#log'
import { Fetcher } from '../fetcher.ts'
import { Signal } from '../signal.ts'
import type { FollowedRole } from '../standby/followed-task.ts'
import { TaskRegistry } from '../task-registry.ts'
import { threadMayBecome } from '../task-states.ts'
import type { TaskStatus, ThreadStatus } from '../task-states.ts'
import { Background } from './background.ts'
import { Computation } from './computation.ts'
import { Fleet } from './fleet.ts'
import { GroupMember } from './group-member.ts'
import { Handovers } from './handovers.ts'
import { observeTasks, threadInstruments } from './instruments.ts'
import type { StreamThreadOptions, ThreadContext } from './options.ts'
import { Recovery } from './recovery.ts'
import { StatePositions } from './state-positions.ts'
import { TaskLifecycle } from './task-lifecycle.ts'
import { TransactionalIds } from './transactional-ids.ts'
import { Transactions } from './transactions.ts'
import { retryWaitMs } from './until-reachable.ts'

export interface TaskDescription {
  readonly taskId: string
  /** Only an active task processes; the others keep a copy of its state. */
  readonly role: 'active' | FollowedRole
  readonly status: TaskStatus | 'following'
  /** Records that are not processed, or changelog offsets that are not in the copy, as far as is known. */
  readonly lag: number
}

export class StreamThread {
  readonly #thread: ThreadContext
  readonly #stop = new AbortController()
  readonly #fetcher: Fetcher
  readonly #computation: Computation
  readonly #member: GroupMember
  readonly #ids: TransactionalIds
  readonly #transactions: Transactions
  readonly #fleet: Fleet
  readonly #background: Background
  readonly #positions: StatePositions
  readonly #lifecycle: TaskLifecycle
  readonly #handovers: Handovers
  readonly #recovery: Recovery
  readonly #hideTasks: () => void
  #status: ThreadStatus = 'created'
  /** What ended the thread from outside its loop. */
  #failure: { readonly error: unknown } | undefined
  #loop: Promise<void> | undefined

  constructor(options: StreamThreadOptions) {
    const thread: ThreadContext = {
      ...options,
      logger: options.logger.child({ thread: options.idPrefix }),
      tasks: new TaskRegistry(),
      instruments: threadInstruments(options.metrics),
      signal: new Signal(),
      stopped: this.#stop.signal,
      fail: (error) => this.#fail(error),
    }
    this.#thread = thread
    const fetcher = new Fetcher({
      ...thread,
      reader: options.log.reader(),
      bufferBytesMax: options.partitionBufferBytesMax,
      purgedTopics: options.topics.repartition,
    })
    const computation = new Computation(thread, fetcher)
    const member = new GroupMember(thread)
    const ids = new TransactionalIds(thread)
    const transactions = new Transactions(thread, ids, member)
    const fleet = new Fleet(options)
    const background = new Background(thread, fleet, member)
    const { standbys, turns } = background
    const lifecycle = new TaskLifecycle(thread, { fetcher, ids, member, fleet, standbys, turns })
    const handovers = new Handovers(thread, lifecycle)
    this.#fetcher = fetcher
    this.#computation = computation
    this.#member = member
    this.#ids = ids
    this.#transactions = transactions
    this.#fleet = fleet
    this.#background = background
    this.#positions = new StatePositions(thread, standbys)
    this.#lifecycle = lifecycle
    this.#handovers = handovers
    const parts = { computation, transactions, ids, member, fleet, lifecycle, handovers, fetcher }
    this.#recovery = new Recovery(thread, parts)
    this.#hideTasks = observeTasks(options.metrics, () => this.tasks())
  }

  get status(): ThreadStatus {
    return this.#status
  }

  tasks(): readonly TaskDescription[] {
    const active = this.#thread.tasks.all().map(({ taskId, status, inputs }) => ({
      taskId,
      role: 'active' as const,
      status,
      lag: inputs.reduce((sum, input) => sum + Math.max(0, input.highWatermark - input.position), 0),
    }))
    const followed = this.#background.standbys.all().map(({ taskId, role, lag }) => ({
      taskId,
      role,
      status: 'following' as const,
      lag,
    }))
    return [...active, ...followed]
  }

  /** True once tasks were assigned and all of them are restored. */
  get ready(): boolean {
    return this.#fleet.hasAssigned && this.#thread.tasks.all().every(({ status }) => status === 'running')
  }

  /** Takes the transactional ids over and joins the group. Tasks arrive afterwards. */
  async start(): Promise<void> {
    this.#become('starting')
    await this.#ids.take()
    await this.#member.join(() => this.#positions.memberData(), {
      assigned: async (partitions, userData) => this.#assigned(partitions, userData),
      revoked: (partitions) => this.#handBack('revoked', partitions),
      lost: (partitions) => this.#handBack('lost', partitions),
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
    this.#thread.signal.wake()
    try {
      await this.#loop
    } catch {
      // `run` has told its caller.
    }
    await this.#close()
  }

  async #run(): Promise<void> {
    const { clock, logger, signal, stopped } = this.#thread
    try {
      this.#fetch().catch((error: unknown) => this.#fail(error))
      this.#background.start()
      while (!stopped.aborted) {
        if (this.#failure !== undefined) throw this.#failure.error
        if (this.#handovers.anyLost) await this.#recovery.afterLoss()
        const { failed } = this.#transactions
        if (failed !== undefined) await this.#recovery.afterFailure(failed)
        if (this.#handovers.any) await this.#revoke()
        this.#positions.noteInTime()
        this.#computation.punctuate()
        const computed = this.#computation.slice()
        const committed = this.#commitWhenPossible()
        if (computed || committed || this.#mergeWhenQuiet()) await clock.yield()
        else {
          this.#background.turns.quiet()
          await signal.wait()
        }
      }
      this.#become('stopping')
      await this.#drain()
    } catch (error) {
      this.#become('failed')
      logger.error({ error }, 'stream thread failed')
      throw error
    }
  }

  /** True when a commit was started. */
  #commitWhenPossible(): boolean {
    if (this.#computation.isEmpty || !this.#transactions.isFree) return false
    this.#transactions.commit(this.#computation.take())
    return true
  }

  /** True when there is something to commit. */
  #mergeWhenQuiet(): boolean {
    return this.#transactions.isQuiet && this.#computation.merge()
  }

  /** Waits for what is in flight, then commits the draft and waits for that too. */
  async #drain(): Promise<void> {
    for (;;) {
      await this.#transactions.settled()
      // With nothing on its way it is not possible while the ids are not ours: the thread stops while it takes them.
      if (this.#transactions.failed !== undefined || !this.#commitWhenPossible()) return
    }
  }

  /** Gives tasks back once their work is committed; when that fails, the next turn of the loop comes here again. */
  async #revoke(): Promise<void> {
    await this.#drain()
    if (this.#transactions.failed === undefined) await this.#handovers.close()
  }

  /** Reads until the thread is closed. That a partition has another owner by now the group tells in its own time. */
  async #fetch(): Promise<void> {
    const { tasks, clock, stopped } = this.#thread
    for (;;) {
      try {
        return await this.#fetcher.run()
      } catch (error) {
        if (!isMillraceError(error, 'PROCESSOR_FENCED')) throw error
        const { topic, partition } = error.context as { readonly topic: string; readonly partition: number }
        const isOurs = tasks.inputOf({ topic, partition }) !== undefined
        if (isOurs && (await this.#member.isMember())) throw error
        if (stopped.aborted) return
        await clock.sleep(retryWaitMs, stopped)
      }
    }
  }

  #assigned(partitions: readonly TopicPartition[], userData: Uint8Array): void {
    const { standbys } = this.#background
    this.#fleet.hear(userData)
    standbys.want(this.#fleet.followed((taskId) => standbys.isFollowed(taskId)))
    this.#lifecycle.assign(partitions)
  }

  /** Once the loop has ended there is nothing to commit, and `#close` closes the tasks. */
  #handBack(kind: 'revoked' | 'lost', partitions: readonly TopicPartition[]): Promise<void> {
    if (this.#status !== 'running') return Promise.resolve()
    return this.#handovers.ask(kind, partitions)
  }

  /** Ends the loop with an error that happened outside of it. */
  #fail(error: unknown): void {
    this.#failure ??= { error }
    this.#thread.signal.wake()
  }

  async #close(): Promise<void> {
    this.#computation.close()
    await this.#fetcher.close()
    // A commit that is still under way writes into the state when it is done.
    await this.#transactions.settled()
    await this.#background.close()
    for (const task of this.#thread.tasks.all()) {
      await this.#lifecycle.close(task).catch((error: unknown) => {
        this.#thread.logger.error({ error, task: task.taskId }, 'task not closed in order')
      })
    }
    this.#handovers.done()
    await this.#transactions.close()
    await this.#ids.settled()
    await this.#member.leave()
    await this.#ids.close()
    this.#hideTasks()
    if (threadMayBecome(this.#status, 'stopped')) this.#become('stopped')
  }

  #become(status: ThreadStatus): void {
    invariant(threadMayBecome(this.#status, status), `a thread does not go from ${this.#status} to ${status}`)
    this.#thread.logger.info({ from: this.#status, to: status }, 'thread state changed')
    this.#status = status
  }
}
