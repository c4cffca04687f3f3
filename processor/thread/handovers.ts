/** Tasks that the group takes back, until the loop has closed them. */
import type { TopicPartition } from '#log'
import type { Task } from '../task.ts'
import type { ThreadContext } from './options.ts'
import type { TaskLifecycle } from './task-lifecycle.ts'

/** `revoked`: ours until they are handed back, so their work is committed first. `lost`: gone already. */
type HandoverKind = 'revoked' | 'lost'

interface Handover {
  readonly kind: HandoverKind
  readonly tasks: readonly Task[]
  readonly done: () => void
}

export class Handovers {
  readonly #thread: ThreadContext
  readonly #lifecycle: TaskLifecycle
  readonly #asked: Handover[] = []

  constructor(thread: ThreadContext, lifecycle: TaskLifecycle) {
    this.#thread = thread
    this.#lifecycle = lifecycle
  }

  get any(): boolean {
    return this.#asked.length > 0
  }

  get anyLost(): boolean {
    return this.#asked.some(({ kind }) => kind === 'lost')
  }

  /** Resolves when the loop has closed the tasks that read the partitions. */
  ask(kind: HandoverKind, partitions: readonly TopicPartition[]): Promise<void> {
    this.#lifecycle.takeBack(partitions)
    const tasks = this.#thread.tasks.reading(partitions)
    if (tasks.length === 0) return Promise.resolve()
    // The loop may be waiting for them to be restored.
    for (const task of tasks) this.#lifecycle.giveUp(task)
    return new Promise((resolve) => {
      this.#asked.push({ kind, tasks, done: resolve })
      this.#thread.signal.wake()
    })
  }

  /** Closes all that is asked for, and tells the group. */
  async close(): Promise<void> {
    const asked = this.#asked.splice(0)
    try {
      for (const { kind, tasks } of asked) {
        for (const task of tasks) {
          if (this.#thread.tasks.get(task.taskId) === task) {
            await this.#lifecycle.close(task, kind === 'revoked')
          }
        }
      }
    } finally {
      // Also when one cannot be closed, which ends the thread: to leave the group it has to have answered.
      for (const { done } of asked) done()
    }
  }

  /** For when all tasks are closed. */
  done(): void {
    for (const { done } of this.#asked.splice(0)) done()
  }
}
