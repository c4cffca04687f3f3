/**
 * The typed binding to RocksDB, and the only file that knows `@nxtedition/rocksdb`.
 *
 * Keys and values are Buffers, order is bytewise. Reads and writes are synchronous and block their thread: a caller
 * that must not block runs in a worker. `sync` alone does its waiting elsewhere. One handle belongs to the thread that
 * opened it. A worker closes it before it ends; one that is terminated has it closed on the way, as a crash would leave
 * it, and the directory is free once the worker is gone. A handle that other threads use as well must not go that way.
 *
 * Errors: ROCKSDB_LOCKED (another process has the directory), ROCKSDB_CORRUPT (it cannot be opened),
 * ROCKSDB_FAILED (a read or a write failed, a full disk among them), ROCKSDB_CLOSED (used after it was closed).
 */
import { RocksLevel } from '@nxtedition/rocksdb'
import binding from '@nxtedition/rocksdb/binding.js'
import type { NativeBatch } from '@nxtedition/rocksdb/binding.js'
import { MillraceError, messageOf } from './errors.ts'
import { makeDirectory } from './owned-directory.ts'
import { WalSync } from './wal-sync.ts'

export interface RocksOptions {
  /** Memory for unflushed writes, bytes. */
  readonly memtableBytes?: number
  /** Block cache, bytes. */
  readonly cacheBytes?: number
  /** ZSTD for table files. The write-ahead log is never compressed: it costs latency and saves nothing that lasts. */
  readonly compression?: boolean
}

/** Bounds of a scan; `gte` inclusive, `lt` exclusive. */
export interface ScanRange {
  readonly gte?: Uint8Array
  readonly gt?: Uint8Array
  readonly lt?: Uint8Array
  readonly lte?: Uint8Array
  readonly reverse?: boolean
  /** At most so many entries. */
  readonly limit?: number
  /** One `next` of the cursor stops after so many bytes, with at least one entry. */
  readonly highWaterMarkBytes?: number
}

/** A batch that has grown larger is given back. */
const spareBytesMax = 4 << 20

const readOptions = { valueEncoding: 'buffer' } as const

export class RocksDatabase {
  readonly #db: RocksLevel
  readonly #cursors = new Set<RocksCursor>()
  readonly #wal: WalSync
  /** The same database, for the functions beneath `RocksLevel`, whose batches cost a third more. */
  readonly #native: ReturnType<typeof binding.db_init>
  /** Of the last write: its memory serves the next one. */
  #spare: NativeBatch | undefined
  #open = true
  /** Of a sync, or of a deletion whose failure the binding reports late. */
  #failure: MillraceError | undefined
  readonly location: string

  private constructor(db: RocksLevel, location: string) {
    this.#db = db
    this.location = location
    this.#native = binding.db_init(db.handle)
    // A new file of the write-ahead log comes with a new memtable, and that with a new version.
    this.#wal = new WalSync(location, () => db.getProperty('rocksdb.current-super-version-number'))
  }

  /** Opens the directory, and creates it (with its parents) when it is missing. */
  static async open(location: string, options: RocksOptions = {}): Promise<RocksDatabase> {
    // First: the constructor below begins to open by itself.
    await makeDirectory(location)
    const db = new RocksLevel(location, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      createIfMissing: true,
      walCompression: false,
      compression: options.compression ?? true,
      compaction: 'level',
      memtableMemoryBudget: options.memtableBytes ?? 64 << 20,
      cacheSize: options.cacheBytes ?? 32 << 20,
      parallelism: 1,
    })
    try {
      await db.open()
    } catch (error) {
      throw openError(location, error)
    }
    return new RocksDatabase(db, location)
  }

  get(key: Uint8Array): Buffer | undefined {
    return this.getMany([key])[0]
  }

  /** Values in the order of the keys; undefined where there is none. */
  getMany(keys: readonly Uint8Array[]): (Buffer | undefined)[] {
    this.#assertOpen()
    return guard('read', () => this.#db._getManySync(keys, readOptions))
  }

  /**
   * Atomic: all of the batch or nothing of it, also after a crash. `sync` fsyncs the write-ahead log first. The batch
   * is of no further use.
   */
  write(batch: RocksBatch, options: { readonly sync: boolean }): void {
    this.#assertOpen()
    if (this.#failure !== undefined) throw this.#failure
    const { byteLength } = batch
    const native = batch.take()
    guard('write', () => binding.batch_write(this.#native, native, options))
    if (byteLength > spareBytesMax) return
    binding.batch_clear(native)
    this.#spare = native
  }

  /**
   * Makes every write before the call durable, without blocking the thread. One call at a time. Should it fail, what
   * it should have covered is durable or not, and every later write fails: the system may have dropped those bytes,
   * so a second fsync that succeeds would prove nothing.
   */
  async sync(): Promise<void> {
    this.#assertOpen()
    if (this.#failure !== undefined) throw this.#failure
    try {
      await this.#wal.sync()
    } catch (error) {
      this.#failure = failed('write', error)
      throw this.#failure
    }
  }

  batch(): RocksBatch {
    this.#assertOpen()
    const native = this.#spare ?? binding.batch_init()
    this.#spare = undefined
    return new RocksBatch(native)
  }

  /** A cursor over a snapshot as of now. Close it, or `close` of the database does. */
  scan(range: ScanRange = {}): RocksCursor {
    this.#assertOpen()
    const native = guard('read', () =>
      this.#db.iterator({ ...range, keyEncoding: 'buffer', valueEncoding: 'buffer' }),
    )
    // The database would keep it for good: it forgets those alone that are closed by the asynchronous call.
    this.#db.detachResource(native)
    const cursor = new RocksCursor(native, () => this.#cursors.delete(cursor))
    this.#cursors.add(cursor)
    return cursor
  }

  /** Deletes every key in [gte, lt) with one range tombstone. */
  async deleteRange(range: { readonly gte: Uint8Array; readonly lt: Uint8Array }): Promise<void> {
    try {
      await this.#db.clear({ ...range, keyEncoding: 'buffer' })
    } catch (error) {
      throw failed('write', error)
    }
  }

  /** The same, in effect when the call returns. Should it fail, every later write does. */
  deleteRangeSync(range: { readonly gte: Uint8Array; readonly lt: Uint8Array }): void {
    this.#assertOpen()
    if (this.#failure !== undefined) throw this.#failure
    // The binding deletes before it returns, but tells of an error on the next tick.
    this.#db._clear({ gte: range.gte, lt: range.lt }, (error) => {
      if (error) this.#failure = failed('write', error)
    })
  }

  /** Closes live cursors, then the database. A `sync` under way must have ended. */
  async close(): Promise<void> {
    this.#open = false
    for (const cursor of this.#cursors) cursor.close()
    try {
      await this.#wal.close()
    } finally {
      await this.#db.close()
    }
  }

  /** The binding crashes the process when a closed database is touched. */
  #assertOpen(): void {
    if (!this.#open) throw closed(`The database in ${this.location} is closed.`)
  }
}

/** Collects puts and deletes; written by `RocksDatabase.write`, once. Keys and values are copied at once. */
export class RocksBatch {
  #native: NativeBatch | undefined
  /** Operations collected. */
  count = 0
  /** Of keys and values. */
  byteLength = 0

  constructor(native: NativeBatch) {
    this.#native = native
  }

  put(key: Uint8Array, value: Uint8Array): void {
    binding.batch_put(this.#native ?? written(), key, value, null)
    this.count++
    this.byteLength += key.length + value.length
  }

  delete(key: Uint8Array): void {
    binding.batch_del(this.#native ?? written(), key, null)
    this.count++
    this.byteLength += key.length
  }

  /** For the database that writes it. */
  take(): NativeBatch {
    const native = this.#native ?? written()
    this.#native = undefined
    return native
  }
}

function written(): never {
  throw closed('This batch is written. Begin another one.')
}

export class RocksCursor {
  #native: ReturnType<RocksLevel['iterator']> | undefined
  readonly #onClose: () => void

  constructor(native: ReturnType<RocksLevel['iterator']>, onClose: () => void) {
    this.#native = native
    this.#onClose = onClose
  }

  /** Up to `count` further entries; an empty array at the end. */
  next(count: number): [key: Buffer, value: Buffer][] {
    const native = this.#native
    if (native === undefined) {
      throw closed('This cursor is closed. Open a new scan.')
    }
    const { rows } = guard('read', () => native._nextvSync(count, {}))
    const entries: [Buffer, Buffer][] = []
    for (let row = 0; row + 1 < rows.length; row += 2)
      entries.push([rows[row] as Buffer, rows[row + 1] as Buffer])
    return entries
  }

  /** The remaining entries; closes itself at the end or when the loop is left. */
  *[Symbol.iterator](): Generator<[key: Buffer, value: Buffer]> {
    try {
      for (;;) {
        const entries = this.next(256)
        if (entries.length === 0) return
        yield* entries
      }
    } finally {
      this.close()
    }
  }

  close(): void {
    this.#native?._closeSync()
    this.#native = undefined
    this.#onClose()
  }
}

function guard<T>(what: 'read' | 'write', action: () => T): T {
  try {
    return action()
  } catch (error) {
    throw failed(what, error)
  }
}

function closed(message: string): MillraceError {
  return new MillraceError('ROCKSDB_CLOSED', message, { domain: 'internal', reaction: 'stop' })
}

function failed(what: string, cause: unknown): MillraceError {
  return new MillraceError('ROCKSDB_FAILED', `RocksDB could not ${what}: ${messageOf(cause)}`, {
    domain: 'external',
    reaction: 'stop',
    cause,
  })
}

/** RocksDB's words for a directory that somebody has: another process, or this one. */
const lockedText = /While lock file|lock hold by current process/
/** The surroundings are at fault, not the data: deleting it would help nobody. */
const surroundingsText =
  /No space left|Permission denied|Operation not permitted|Read-only file system|Too many open files|quota exceeded|EEXIST: file already exists/i

function openError(location: string, error: unknown): MillraceError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const text = messageOf(cause)
  if (lockedText.test(text)) {
    return new MillraceError(
      'ROCKSDB_LOCKED',
      `${location} is in use by another process. Stop it, or choose another directory.`,
      { domain: 'external', reaction: 'stop', cause },
    )
  }
  const damaged = !surroundingsText.test(text)
  return new MillraceError(
    damaged ? 'ROCKSDB_CORRUPT' : 'ROCKSDB_FAILED',
    `${location} cannot be opened: ${text}`,
    { domain: 'external', reaction: damaged ? 'wipe-restore' : 'stop', cause },
  )
}
