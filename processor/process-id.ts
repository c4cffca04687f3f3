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
  /** Gives the state directory free. */
  release(): Promise<void>
}

const key = Buffer.from('process-id')

/**
 * An id that a power loss takes is made anew: then the log aborts what the old one had open by its time-out.
 * Errors: PROCESSOR_STATE_IN_USE.
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
  return { processId, release: () => backend.close() }
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
