/** Opening the state of a task on this machine's disk, emptied where it cannot be continued from. */
import type { Logger } from '#core'
import { isMillraceError } from '#core'
import { TaskState, whyUnusable } from '#state'
import type { StateStorage, StoreChangelog } from '#state'
import type { StoreSpec } from '#topology'
import { processorError } from './errors.ts'

export interface TaskStorageOptions {
  readonly storage: StateStorage
  readonly directory: string
  readonly taskId: string
  readonly stores: readonly StoreSpec[]
  readonly logger: Logger
}

/** Errors: PROCESSOR_TASK_IN_USE (retry) while another thread of this process is about to close it. */
export async function openTaskState(options: TaskStorageOptions): Promise<TaskState> {
  const { storage, directory, stores } = options
  const open = (): Promise<TaskState> => TaskState.open({ storage, directory, stores })
  try {
    return await open()
  } catch (error) {
    if (isMillraceError(error, 'ROCKSDB_LOCKED') || isMillraceError(error, 'STATE_LOCKED')) {
      // The process has the state directory to itself, so it can only be a thread of its own.
      throw processorError(
        'PROCESSOR_TASK_IN_USE',
        `The state of task ${options.taskId} in ${directory} is still in use. Waiting helps.`,
        { cause: error },
      )
    }
    if (!isMillraceError(error) || error.reaction !== 'wipe-restore') throw error
    await wipeTaskState(options, error.message)
    return open()
  }
}

/** The directory must not be open. */
export async function wipeTaskState(
  { storage, directory, taskId, logger }: TaskStorageOptions,
  why: string,
): Promise<void> {
  logger.warn({ task: taskId, directory, why }, 'local state wiped, restoring it from the changelog')
  await storage.wipe(directory)
}

/** Why a state cannot be continued from the changelogs as they are; undefined when it can. */
export function whyNotContinued(
  state: TaskState,
  changelogs: readonly StoreChangelog[],
  now: number,
): string | undefined {
  try {
    for (const { store, facts } of changelogs) {
      const checkpoint = state.checkpoint(store)
      const why = checkpoint && whyUnusable(checkpoint, facts, now)
      if (why !== undefined) return why
    }
    return undefined
  } catch (error) {
    if (!isMillraceError(error, 'STATE_UNUSABLE')) throw error
    return error.message
  }
}
