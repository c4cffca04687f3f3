/**
 * A task's directory in LevelDB, by the portable package `level`: for machines without the RocksDB binding.
 *
 * LevelDB's JavaScript interface reads single keys synchronously, but writes and iterates only asynchronously. So:
 * - all keys are kept in memory (read when it is opened), values are not; a miss needs no disk;
 * - writes are visible at once and reach the disk behind the caller, in order, several at a time in one atomic batch:
 *   what is on disk is always a prefix of what was written, as with RocksDB without fsync, only a little further back;
 * - what is not on disk yet is in memory, one value a key.
 * Cost: memory for every key (about 100 bytes and its length), a start that reads every key, and after keys were added
 * or removed the next scan sorts them. It is made for small states; large ones belong in RocksDB.
 */
import { Level } from 'level'
import { MillraceError, messageOf } from '#core'
import type { StateBackend, StateBatch, StateRange } from './backend.ts'
import { stateLocked, stateUnusable } from './errors.ts'

interface Write {
  readonly key: string
  /** undefined: delete. */
  readonly value: Buffer | undefined
}

export class LevelBackend implements StateBackend {
  readonly #db: Level<Buffer, Buffer>
  readonly #directory: string
  /** As latin1, whose order is the bytewise one. */
  readonly #keys: Set<string>
  /** Sorted keys; undefined since one was added or removed. */
  #sorted: readonly string[] | undefined
  /** The newest write of each key that is not on disk yet. */
  readonly #unwritten = new Map<string, Write>()
  #queue: Write[] = []
  #flushing: Promise<void> | undefined
  #failure: MillraceError | undefined
  #open = true

  private constructor(db: Level<Buffer, Buffer>, directory: string, keys: Set<string>) {
    this.#db = db
    this.#directory = directory
    this.#keys = keys
  }

  /** Errors: STATE_LOCKED; STATE_UNUSABLE when the directory is damaged. */
  static async open(directory: string): Promise<LevelBackend> {
    const db = new Level<Buffer, Buffer>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    try {
      await db.open()
      const keys = new Set<string>()
      for await (const key of db.keys()) keys.add(key.toString('latin1'))
      return new LevelBackend(db, directory, keys)
    } catch (error) {
      await db.close()
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
      if (/lock/i.test(messageOf(cause))) throw stateLocked(directory, cause)
      throw stateUnusable(directory, messageOf(cause))
    }
  }

  getMany(keys: readonly Uint8Array[]): (Buffer | undefined)[] {
    this.#assertOpen()
    return keys.map((key) => this.#get(latin1(key)))
  }

  write(fill: (batch: StateBatch) => void): void {
    this.#assertOpen()
    if (this.#failure !== undefined) throw this.#failure
    const writes: Write[] = []
    fill({
      put: (key, value) => void writes.push({ key: latin1(key), value: Buffer.from(value) }),
      delete: (key) => void writes.push({ key: latin1(key), value: undefined }),
    })
    for (const write of writes) {
      this.#unwritten.set(write.key, write)
      this.#queue.push(write)
      if (this.#keys.has(write.key) === (write.value !== undefined)) continue
      this.#sorted = undefined
      if (write.value === undefined) this.#keys.delete(write.key)
      else this.#keys.add(write.key)
    }
    this.#flushing ??= this.#flush()
  }

  deleteRange(range: StateRange): void {
    const keys = this.#between(range)
    this.write((batch) => keys.forEach((key) => batch.delete(Buffer.from(key, 'latin1'))))
  }

  *scan(range: StateRange): Generator<readonly [key: Buffer, value: Buffer]> {
    this.#assertOpen()
    const keys = this.#between(range)
    const unwritten = new Map(this.#unwritten)
    const snapshot = this.#db.snapshot()
    try {
      for (const key of keys) {
        this.#assertOpen()
        const bytes = Buffer.from(key, 'latin1')
        const value = unwritten.get(key)?.value ?? this.#db.getSync(bytes, { snapshot })
        if (value !== undefined) yield [bytes, value]
      }
    } finally {
      // Closing the database closes its snapshots too.
      if (this.#open) void snapshot.close().catch(() => {})
    }
  }

  /** Waits until everything is written. */
  async close(): Promise<void> {
    this.#open = false
    await this.#flushing
    await this.#db.close()
  }

  #get(key: string): Buffer | undefined {
    if (!this.#keys.has(key)) return undefined
    return this.#unwritten.get(key)?.value ?? this.#db.getSync(Buffer.from(key, 'latin1'))
  }

  #between({ gte, lt }: StateRange): readonly string[] {
    this.#sorted ??= [...this.#keys].toSorted((a, b) => (a < b ? -1 : 1))
    const from = indexOf(this.#sorted, latin1(gte))
    return this.#sorted.slice(from, Math.max(from, indexOf(this.#sorted, latin1(lt))))
  }

  /** After a failure nothing more is written: what is on disk stays a prefix. */
  async #flush(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        const writes = this.#queue
        this.#queue = []
        await this.#db.batch(writes.map(operationOf))
        for (const write of writes)
          if (this.#unwritten.get(write.key) === write) this.#unwritten.delete(write.key)
      }
    } catch (error) {
      this.#failure = new MillraceError(
        'STATE_WRITE_FAILED',
        `The state in ${this.#directory} could not be written: ${messageOf(error)}`,
        { domain: 'external', reaction: 'stop', cause: error },
      )
    } finally {
      this.#flushing = undefined
    }
  }

  #assertOpen(): void {
    if (this.#open) return
    throw new MillraceError('STATE_CLOSED', `The state in ${this.#directory} is closed.`, {
      domain: 'internal',
      reaction: 'stop',
    })
  }
}

function operationOf({
  key,
  value,
}: Write): { type: 'put'; key: Buffer; value: Buffer } | { type: 'del'; key: Buffer } {
  const bytes = Buffer.from(key, 'latin1')
  return value === undefined ? { type: 'del', key: bytes } : { type: 'put', key: bytes, value }
}

/** Where `key` is or would be. */
function indexOf(sorted: readonly string[], key: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] as string) < key) low = middle + 1
    else high = middle
  }
  return low
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
