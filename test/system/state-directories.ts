/** State directories of stopped processors, active and standby alike: each store is the fold of its changelog. */
import { existsSync } from 'node:fs'
import { endOffsetOf } from '#log'
import type { Log } from '#log'
import { checkStateIsFold, foldChangelog } from '#processor'
import { TaskState, changelogTopic, rocksStorage, taskDirectory } from '#state'
import type { StoreSpec } from '#topology'
import { fetchTopic } from './read-topic.ts'

export interface CheckedTask {
  readonly id: string
  readonly partition: number
  /** Sorted by name. */
  readonly stores: readonly StoreSpec[]
}

/** Every task of an application with the same number of partitions everywhere. @param stores by subtopology */
export function everyTask(stores: readonly (readonly StoreSpec[])[], partitions: number): CheckedTask[] {
  return stores.flatMap((own, subtopology) =>
    Array.from({ length: partitions }, (_, partition) => ({
      id: `${subtopology}_${partition}`,
      partition,
      stores: own,
    })),
  )
}

export interface CheckedDirectories {
  readonly violations: readonly string[]
  /** How many states were compared: of one task in one directory. */
  readonly states: number
  /** Tasks of which at least one directory has everything that was ever committed. */
  readonly complete: ReadonlySet<string>
}

/**
 * Compares what is there up to its checkpoints. Changelogs have to be whole, as they are until they are compacted.
 * @param stateDirs of processors that are stopped
 */
export async function checkStateDirectories(
  log: Log,
  appId: string,
  stateDirs: readonly string[],
  tasks: readonly CheckedTask[],
): Promise<CheckedDirectories> {
  const violations: string[] = []
  const names = new Set(tasks.flatMap(({ stores }) => stores.map(({ name }) => name)))
  const changelogs = new Map<string, Buffer[][]>()
  for (const name of names) changelogs.set(name, await batchesOf(log, changelogTopic(appId, name)))
  let states = 0
  const complete = new Set<string>()
  for (const stateDir of stateDirs) {
    for (const { id, partition, stores } of tasks) {
      const directory = taskDirectory(stateDir, appId, id)
      if (!existsSync(directory)) continue
      const state = await TaskState.open({ directory, stores, storage: rocksStorage() })
      try {
        states++
        let isComplete = true
        for (const { name } of stores) {
          const batches = changelogs.get(name)?.[partition] ?? []
          const end = state.checkpoint(name)?.offset ?? 0
          const found = checkStateIsFold(name, foldChangelog(batches, end), state.dump(name))
          violations.push(...found.slice(0, 3).map(({ message }) => `${directory}: ${message}`))
          const last = batches.at(-1)
          // Only markers may follow.
          if (last !== undefined && endOffsetOf(last) > end) isComplete = false
        }
        if (isComplete) complete.add(id)
      } finally {
        await state.close()
      }
    }
  }
  return { violations, states, complete }
}

async function batchesOf(log: Log, topic: string): Promise<Buffer[][]> {
  const batches: Buffer[][] = []
  for await (const fetched of fetchTopic(log, topic))
    (batches[fetched.partition] ??= []).push(...fetched.batches.map((batch) => Buffer.from(batch)))
  return batches
}
