/**
 * Who this process is, across restarts: a UUID kept in the state directory under a lock that the operating system
 * releases when the process dies, however it dies (RocksDB's own directory lock).
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { RocksDatabase, isMillraceError } from '#core'
import { processorError } from './errors.ts'

export interface ProcessIdentity {
  readonly processId: string
  /** Gives the state directory free. */
  release(): Promise<void>
}

const key = Buffer.from('process-id')

/** Errors: PROCESSOR_STATE_IN_USE. */
export async function claimStateDirectory(stateDir: string, appId: string): Promise<ProcessIdentity> {
  const directory = join(stateDir, appId, 'process')
  const db = await open(directory)
  let processId = db.get(key)?.toString()
  if (processId === undefined) {
    processId = randomUUID()
    const batch = db.batch()
    batch.put(key, Buffer.from(processId))
    db.write(batch, { sync: true })
  }
  return { processId, release: () => db.close() }
}

async function open(directory: string): Promise<RocksDatabase> {
  try {
    return await RocksDatabase.open(directory, { memtableBytes: 1 << 20, cacheBytes: 0 })
  } catch (error) {
    if (!isMillraceError(error, 'ROCKSDB_LOCKED')) throw error
    throw processorError('PROCESSOR_STATE_IN_USE', `${directory} is in use by another process.`, {
      context: { directory },
      cause: error,
    })
  }
}
