/** Deletes the states on this disk that nobody has wanted for long: their tasks live elsewhere. */
import { isMillraceError } from '#core'
import type { Clock, Logger } from '#core'
import type { StateStorage } from '#state'
import type { TaskPositions } from '../process-id.ts'

export interface AbandonedStatesOptions {
  readonly storage: StateStorage
  readonly clock: Clock
  readonly logger: Logger
  readonly positions: TaskPositions
  readonly directoryOf: (taskId: string) => string
  /** Tasks of this process, as the group has said; undefined while nobody can tell. */
  readonly used: () => ReadonlySet<string> | undefined
  /** Until then whoever had the task may get it back, milliseconds. */
  readonly delayMs: number
}

export class AbandonedStates {
  readonly #options: AbandonedStatesOptions
  /** Since when nobody has wanted a task. */
  readonly #since = new Map<string, number>()

  constructor(options: AbandonedStatesOptions) {
    this.#options = options
  }

  /** Looks from time to time until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, delayMs } = this.#options
    while (!signal.aborted) {
      await this.#sweep(signal)
      await clock.sleep(delayMs / 10, signal)
    }
  }

  async #sweep(signal: AbortSignal): Promise<void> {
    const { clock, positions, delayMs, used } = this.#options
    const now = clock.now()
    for (const taskId of positions.all().keys()) {
      // Asked anew for each: deleting the one before has taken its time.
      const wanted = used()
      if (signal.aborted) return
      if (wanted === undefined) return this.#since.clear()
      const since = this.#since.get(taskId)
      if (wanted.has(taskId)) this.#since.delete(taskId)
      else if (since === undefined) this.#since.set(taskId, now)
      else if (now - since >= delayMs) await this.#discard(taskId)
    }
  }

  async #discard(taskId: string): Promise<void> {
    const { storage, logger, positions, directoryOf } = this.#options
    const directory = directoryOf(taskId)
    this.#since.delete(taskId)
    try {
      // Held open meanwhile, so that no other thread of this process opens what is being deleted.
      const held = await storage.open(directory)
      try {
        await storage.wipe(directory)
      } finally {
        await held.close()
      }
      positions.forget(taskId)
      logger.info({ task: taskId, directory }, 'state deleted, its task has been elsewhere for long')
    } catch (error) {
      // In use, damaged or not ours: it stays, and the next look is after another delay.
      logger.debug({ task: taskId, directory, error }, 'state not deleted')
      if (isMillraceError(error, 'STATE_UNUSABLE')) await storage.wipe(directory)
    }
  }
}
