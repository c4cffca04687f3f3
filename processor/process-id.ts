/**
 * Who this process is, across restarts: a UUID kept in the state directory under a lock that the operating system
 * releases when the process dies, however it dies (RocksDB's own directory lock).
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { isMillraceError } from '#core'
import type { StateBackend, StateStorage } from '#state'
import { processorError } from './errors.ts'

export interface ProcessIdentity {
  readonly processId: string
  /** What task directories hold, as far as it was noted: a hint for the assignor, never a checkpoint. */
  readonly positions: TaskPositions
  /** Gives the state directory free. */
  release(): Promise<void>
}

/** How far into its changelogs the state of each task on this disk is, in records over all of them. */
export interface TaskPositions {
  all(): ReadonlyMap<string, number>
  note(positions: ReadonlyMap<string, number>): void
  /** The directory of the task is gone. */
  forget(task: string): void
}

const key = Buffer.from('process-id')

/**
 * An id that a power loss takes is made anew: then the log aborts what the old one had open by its time-out.
 * Errors: PROCESSOR_STATE_IN_USE; DIRECTORY_FOREIGN (`<appId>/process` holds something of others), DIRECTORY_FAILED (it
 * cannot be made or read).
 */
export async function claimStateDirectory(
  storage: StateStorage,
  stateDir: string,
  appId: string,
): Promise<ProcessIdentity> {
  const backend = await open(storage, join(stateDir, appId, 'process'))
  let processId = backend.getMany([key])[0]?.toString()
  if (processId === undefined) {
    const made = randomUUID()
    backend.write((batch) => batch.put(key, Buffer.from(made)))
    processId = made
  }
  return { processId, positions: taskPositions(backend), release: () => backend.close() }
}

const positionPrefix = 'position/'
const positionRange = { gte: Buffer.from(positionPrefix), lt: Buffer.from('position0') }

function taskPositions(backend: StateBackend): TaskPositions {
  const known = new Map<string, number>()
  for (const [name, value] of backend.scan(positionRange))
    known.set(name.toString().slice(positionPrefix.length), Number(value.toString()))
  return {
    all: () => known,
    note(positions) {
      const changed = [...positions].filter(([task, position]) => known.get(task) !== position)
      if (changed.length === 0) return
      backend.write((batch) => {
        for (const [task, position] of changed) {
          known.set(task, position)
          batch.put(Buffer.from(`${positionPrefix}${task}`), Buffer.from(String(position)))
        }
      })
    },
    forget(task) {
      if (known.delete(task)) backend.write((batch) => batch.delete(Buffer.from(`${positionPrefix}${task}`)))
    },
  }
}

async function open(storage: StateStorage, directory: string): Promise<StateBackend> {
  try {
    return await storage.open(directory)
  } catch (error) {
    if (isMillraceError(error) && error.reaction === 'wipe-restore') {
      await storage.wipe(directory)
      return storage.open(directory)
    }
    if (!isMillraceError(error, 'ROCKSDB_LOCKED') && !isMillraceError(error, 'STATE_LOCKED')) throw error
    throw processorError('PROCESSOR_STATE_IN_USE', `${directory} is in use by another process.`, {
      context: { directory },
      cause: error,
    })
  }
}
