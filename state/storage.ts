/** Where task directories live: this machine's disk, or something a simulator makes up. */
import { rm } from 'node:fs/promises'
import type { RocksOptions } from '#core'
import type { StateBackend } from './backend.ts'
import { RocksBackend } from './rocksdb-backend.ts'

export interface StateStorage {
  /**
   * Opens a directory, and creates it when it is missing. Until it is closed nobody else can open it.
   * Errors: ROCKSDB_LOCKED or STATE_LOCKED; STATE_UNUSABLE when it is damaged (wipe it and open again).
   */
  open(directory: string): Promise<StateBackend>
  /** Deletes a directory that is not open. */
  wipe(directory: string): Promise<void>
}

export function rocksStorage(options?: RocksOptions): StateStorage {
  return {
    open: (directory) => RocksBackend.open(directory, options),
    wipe: (directory) => rm(directory, { recursive: true, force: true }),
  }
}

/** LevelDB: portable, for small states (level-backend.ts says what it costs). */
export function levelStorage(): StateStorage {
  return {
    // Its native part is loaded only by those who use it.
    open: async (directory) => (await import('./level-backend.ts')).LevelBackend.open(directory),
    wipe: (directory) => rm(directory, { recursive: true, force: true }),
  }
}
