import { TaskState, rocksStorage } from '#state'
import type { StoreSpec } from '#topology'

/** Opens the state of a task of a stopped stream thread. */
export async function withTaskState<T>(
  directory: string,
  stores: readonly StoreSpec[],
  use: (state: TaskState) => T,
): Promise<T> {
  const state = await TaskState.open({ directory, stores, storage: rocksStorage() })
  try {
    return use(state)
  } finally {
    await state.close()
  }
}
