/** The view's database: disposable, bound to one log by its identity, in a directory that carries our marker. */
import { RocksDatabase, claimDirectory, discardDirectory, isMillraceError } from '#core'
import type { Logger } from '#core'
import { identityKey } from './view-keys.ts'

/** Grows when the layout changes; an older view is then rebuilt. */
const format = 1

/**
 * Opens the view, empty if it belongs to another log, another layout, or cannot be read.
 * Errors: DIRECTORY_FOREIGN (the directory holds something that is no view; nothing was touched), DIRECTORY_FAILED,
 * ROCKSDB_LOCKED.
 */
export async function openViewDatabase(
  directory: string,
  log: { readonly clusterId: string; readonly topicIds: readonly string[] },
  logger: Logger,
): Promise<RocksDatabase> {
  const identity = JSON.stringify({ format, ...log })
  await claimDirectory(directory, 'view')
  const db = await openOrUndefined(directory, logger)
  if (db !== undefined) {
    const stored = db.get(identityKey)?.toString()
    if (stored === identity) return db
    if (stored === undefined && isEmpty(db)) return identified(db, identity)
    logger.warn({ directory }, 'The view on disk belongs to another log; it is built again.')
    await db.close()
  }
  await discardDirectory(directory, 'view')
  await claimDirectory(directory, 'view')
  return identified(await RocksDatabase.open(directory, options), identity)
}

const options = { memtableBytes: 32 << 20, cacheBytes: 32 << 20 }

async function openOrUndefined(directory: string, logger: Logger): Promise<RocksDatabase | undefined> {
  try {
    return await RocksDatabase.open(directory, options)
  } catch (error) {
    if (!isMillraceError(error, 'ROCKSDB_CORRUPT')) throw error
    logger.warn({ directory, error: error.message }, 'The view on disk cannot be opened; it is built again.')
    return undefined
  }
}

function isEmpty(db: RocksDatabase): boolean {
  const cursor = db.scan({ limit: 1 })
  const empty = cursor.next(1).length === 0
  cursor.close()
  return empty
}

function identified(db: RocksDatabase, identity: string): RocksDatabase {
  const batch = db.batch()
  batch.put(identityKey, Buffer.from(identity))
  db.write(batch, { sync: false })
  return db
}
