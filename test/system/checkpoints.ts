/** How far the state of a stopped processor has come, by task and store. */
import { existsSync } from 'node:fs'
import { couponStores } from '#domain/coupon'
import { TaskState, rocksStorage, taskDirectory } from '#state'
import type { StoreSpec } from '#topology'
import { partitions } from './commands.ts'
import type { System } from './system.ts'

const { coupons, idempotency, issuedUsers } = couponStores

/** In the order in which tasks know them. */
export const stores: readonly StoreSpec[] = [coupons, idempotency, issuedUsers].toSorted((a, b) =>
  a.name < b.name ? -1 : 1,
)

export interface Checkpoint {
  readonly taskId: string
  readonly store: string
  /** Next changelog offset. */
  readonly offset: number
}

export async function checkpointsOf({ stateDir, appId }: System): Promise<Checkpoint[]> {
  const found: Checkpoint[] = []
  for (let partition = 0; partition < partitions; partition++) {
    const taskId = `0_${partition}`
    const directory = taskDirectory(stateDir, appId, taskId)
    if (!existsSync(directory)) continue
    const state = await TaskState.open({ directory, stores, storage: rocksStorage() })
    try {
      for (const { name: store } of stores) {
        const checkpoint = state.checkpoint(store)
        if (checkpoint !== undefined) found.push({ taskId, store, offset: checkpoint.offset })
      }
    } finally {
      await state.close()
    }
  }
  return found
}
