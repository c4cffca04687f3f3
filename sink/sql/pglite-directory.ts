/** Where PGlite's files lie, and the lock that keeps a second process away from them. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { RocksDatabase, claimDirectory, isMillraceError } from '#core'

export interface PgliteLock {
  /** Gives the directory free. Close the database first. Idempotent. */
  release(): Promise<void>
}

/** The files of the database itself, below the directory that is ours. */
export function pgliteFiles(directory: string): string {
  return join(directory, 'database')
}

/**
 * Takes the directory for this process. PGlite has no lock of its own, and a second process on its files destroys
 * them. The operating system releases this one when the process dies, however it dies (RocksDB's directory lock).
 *
 * Hold it where the thread is never ended by force: that would take the process down with an open RocksDB.
 * Errors: ROCKSDB_LOCKED (another process has it), DIRECTORY_FOREIGN, DIRECTORY_FAILED, ROCKSDB_FAILED.
 */
export async function lockPglite(directory: string): Promise<PgliteLock> {
  await claimDirectory(directory, 'postgres')
  const database = await openLock(join(directory, 'lock'))
  let released: Promise<void> | undefined
  return { release: () => (released ??= database.close()) }
}

const options = { memtableBytes: 1 << 20, cacheBytes: 1 << 20 }

async function openLock(directory: string): Promise<RocksDatabase> {
  try {
    return await RocksDatabase.open(directory, options)
  } catch (error) {
    if (!isMillraceError(error, 'ROCKSDB_CORRUPT')) throw error
    // It holds nothing but the lock, which an unreadable database does not take.
    await rm(directory, { recursive: true, force: true })
    return RocksDatabase.open(directory, options)
  }
}
