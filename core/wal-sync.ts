import { open, readdir } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'

const walName = /^(\d+)\.log$/

/**
 * Makes RocksDB's write-ahead log durable without blocking the thread: an fdatasync of its files in libuv's pool,
 * for the binding can only write and sync in one blocking call.
 *
 * That is enough because of how our binding sets RocksDB up (9.7: db/log_writer.cc, db/db_impl/db_impl_write.cc):
 * without `manual_wal_flush` a write has handed its bytes to the system when it returns; `recycle_log_file_num` is 0,
 * so a file is never written anew; a write goes into a new file only when a memtable is switched; and a file goes
 * only after everything in it lies in tables that were fsynced, as the manifest and the directory were. Files are
 * replayed in order up to the first gap, so every file that may hold unsynced bytes has to be synced, not the newest
 * alone.
 */
export class WalSync {
  readonly #directory: string
  readonly #version: () => string
  /** What `#version` told when the directory was read last. */
  #versionRead: string | undefined
  /** By number. Kept open, so that an error of the system's own writing back reaches us, too. */
  readonly #files = new Map<number, FileHandle>()
  /** Greater than every number that was synced together with its directory entry. */
  #newFrom = 0

  /** @param version changes whenever RocksDB may have begun another file */
  constructor(directory: string, version: () => string) {
    this.#directory = directory
    this.#version = version
  }

  /** Resolves when all that was written before the call is durable. One call at a time; none after a failure. */
  async sync(): Promise<void> {
    const version = this.#version()
    const changed = version !== this.#versionRead
    if (changed) await this.#openNew()
    await Promise.all([...this.#files.values()].map((file) => file.datasync()))
    if (changed) {
      await this.#finishOld()
      this.#versionRead = version
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#files.values()].map((file) => file.close()))
    this.#files.clear()
  }

  async #openNew(): Promise<void> {
    const newest = Math.max(-1, ...this.#files.keys())
    for (const name of await readdir(this.#directory)) {
      const number = Number(walName.exec(name)?.[1] ?? -1)
      if (number <= newest) continue
      const file = await openExisting(join(this.#directory, name))
      if (file !== undefined) this.#files.set(number, file)
    }
  }

  /** What is synced and not the newest is never written again. */
  async #finishOld(): Promise<void> {
    const newest = Math.max(-1, ...this.#files.keys())
    if (newest >= this.#newFrom) {
      const directory = await open(this.#directory)
      try {
        await directory.sync()
      } finally {
        await directory.close()
      }
      this.#newFrom = newest + 1
    }
    for (const [number, file] of this.#files) {
      if (number === newest) continue
      this.#files.delete(number)
      await file.close()
    }
  }
}

/** undefined when RocksDB deleted it since it was listed: all that it held is in tables then. */
async function openExisting(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
