/** Where task directories live: this machine's disk, or something a simulator makes up. */
import { claimDirectory, discardDirectory } from '#core'
import type { RocksOptions } from '#core'
import type { StateBackend } from './backend.ts'
import { RocksBackend } from './rocksdb-backend.ts'

export interface StateStorage {
  /**
   * Opens a directory, and creates it when it is missing. Until it is closed nobody else can open it.
   * Errors: ROCKSDB_LOCKED or STATE_LOCKED; STATE_UNUSABLE when it is damaged (wipe it and open again);
   * DIRECTORY_FOREIGN when it holds something of others, DIRECTORY_FAILED when it cannot be made.
   */
  open(directory: string): Promise<StateBackend>
  /** Deletes a directory that is not open. */
  wipe(directory: string): Promise<void>
}

export function rocksStorage(options?: RocksOptions): StateStorage {
  return {
    async open(directory) {
      await claimDirectory(directory, 'state')
      return RocksBackend.open(directory, options)
    },
    wipe: (directory) => discardDirectory(directory, 'state'),
  }
}

/** LevelDB: portable, for small states (level-backend.ts says what it costs). */
export function levelStorage(): StateStorage {
  return {
    async open(directory) {
      await claimDirectory(directory, 'state')
      // Its native part is loaded only by those who use it.
      return (await import('./level-backend.ts')).LevelBackend.open(directory)
    },
    wipe: (directory) => discardDirectory(directory, 'state'),
  }
}
