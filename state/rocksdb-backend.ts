import { RocksDatabase, isMillraceError } from '#core'
import type { RocksOptions } from '#core'
import type { StateBackend, StateBatch, StateRange } from './backend.ts'
import { stateUnusable } from './errors.ts'

/** A task's directory. Writes are not fsynced: what a power loss takes is read from the changelog again. */
export class RocksBackend implements StateBackend {
  readonly #db: RocksDatabase

  private constructor(db: RocksDatabase) {
    this.#db = db
  }

  /** Errors: ROCKSDB_LOCKED; STATE_UNUSABLE when the directory is damaged. */
  static async open(directory: string, options?: RocksOptions): Promise<RocksBackend> {
    try {
      return new RocksBackend(await RocksDatabase.open(directory, options))
    } catch (error) {
      if (isMillraceError(error, 'ROCKSDB_CORRUPT')) throw stateUnusable(directory, error.message)
      throw error
    }
  }

  getMany(keys: readonly Uint8Array[]): (Buffer | undefined)[] {
    return this.#db.getMany(keys)
  }

  write(fill: (batch: StateBatch) => void): void {
    const batch = this.#db.batch()
    fill(batch)
    this.#db.write(batch, { sync: false })
  }

  deleteRange(range: StateRange): void {
    this.#db.deleteRangeSync(range)
  }

  *scan(range: StateRange): Generator<readonly [key: Buffer, value: Buffer]> {
    yield* this.#db.scan(range)
  }

  close(): Promise<void> {
    return this.#db.close()
  }
}
