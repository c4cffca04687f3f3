/**
 * The computing half of the loop: lets the tasks that run fill one draft, in turns, and hands it over to be committed.
 */
import { Alarm } from '../alarm.ts'
import type { Fetcher } from '../fetcher.ts'
import type { Task } from '../task.ts'
import { BuilderPool, TransactionOutputs } from '../transaction-outputs.ts'
import { Draft } from './draft.ts'
import type { ThreadContext } from './options.ts'

/** Records of one task before the next task has its turn. */
const shareRecords = 500
/** Segments read for one merge transaction: a few milliseconds of work. */
const mergeBytesMax = 256 << 10

export class Computation {
  readonly #thread: ThreadContext
  readonly #fetcher: Fetcher
  readonly #pool = new BuilderPool()
  readonly #alarm: Alarm
  #draft: Draft

  constructor(thread: ThreadContext, fetcher: Fetcher) {
    this.#thread = thread
    this.#fetcher = fetcher
    this.#alarm = new Alarm(thread.clock, () => thread.signal.wake())
    this.#draft = this.#newDraft()
  }

  /** Nothing is computed that is not handed over. */
  get isEmpty(): boolean {
    return this.#draft.isEmpty
  }

  /** Gives the draft away to be committed, and begins the next. */
  take(): Draft {
    const draft = this.#draft
    this.#draft = this.#newDraft()
    return draft
  }

  /** Forgets what is computed. The states of its tasks have to be taken back as well. */
  drop(): void {
    this.#draft = this.#newDraft()
  }

  /** Lets each running task with buffered records compute a share, in turn; false when nothing could be done. */
  slice(): boolean {
    const { limits, clock, tasks } = this.#thread
    const until = clock.now() + limits.sliceMsMax
    let worked = false
    for (let progress = true; progress && clock.now() < until;) {
      progress = false
      for (const task of tasks.running()) {
        if (this.#draft.isFull(limits)) return worked
        const share = Math.min(shareRecords, limits.recordsMax - this.#draft.records)
        const processed = this.#compute(task, share)
        if (processed > 0) progress = worked = true
      }
    }
    return worked
  }

  #compute(task: Task, share: number): number {
    if (!task.hasWork) return 0
    const { limits, instruments } = this.#thread
    const processed = task.process(share, limits.bytesMax - this.#draft.bytes, this.#draft.outputs)
    if (processed === 0) return 0
    this.#draft.tasks.add(task)
    this.#draft.records += processed
    instruments.processed.add(processed)
    this.#fetcher.resumeDrained()
    return processed
  }

  /** Calls the wall-clock punctuators that are due, and sees to it that the loop wakes for the next. */
  punctuate(): void {
    const { limits, clock, tasks } = this.#thread
    // A full draft waits for a commit, whose end wakes the loop.
    if (this.#draft.isFull(limits)) return
    let next = Infinity
    for (const task of tasks.running()) {
      const due = task.nextWallClock()
      if (due === undefined) continue
      if (due <= clock.now() && task.punctuateWallClock(this.#draft.outputs)) this.#draft.tasks.add(task)
      next = Math.min(next, task.nextWallClock() ?? Infinity)
    }
    this.#alarm.set(next)
  }

  /** Nobody has to be woken any more. */
  close(): void {
    this.#alarm.set(Infinity)
  }

  /**
   * For when there is no input and nothing on its way: a task may put its sets in order. The merge goes into the
   * draft, and the task takes part in the transaction with its current position, which fences it. One task at a time,
   * so that a record that comes meanwhile waits for little. True when there is something to commit.
   */
  merge(): boolean {
    if (!this.#draft.isEmpty) return false
    const task = this.#thread.tasks.running().find(({ state }) => state.mergeSegments(mergeBytesMax))
    if (task === undefined) return false
    this.#draft.tasks.add(task)
    return true
  }

  #newDraft(): Draft {
    const { topics } = this.#thread
    return new Draft(new TransactionOutputs(this.#pool, (topic) => topics.maxMessageBytes(topic)))
  }
}
