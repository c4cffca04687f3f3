import { TaskState, rocksStorage, taskDirectory } from '#state'
import type { StoreSpec } from '#topology'
import { appId } from './app-id.ts'

/** Opens the state of a task of a stopped stream thread. */
export async function withTaskState<T>(
  stateDirectory: string,
  partition: number,
  stores: readonly StoreSpec[],
  use: (state: TaskState) => T,
): Promise<T> {
  const directory = taskDirectory(stateDirectory, appId, `0_${partition}`)
  const state = await TaskState.open({ directory, stores, storage: rocksStorage() })
  try {
    return use(state)
  } finally {
    await state.close()
  }
}
