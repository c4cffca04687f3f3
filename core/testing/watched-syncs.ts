/** What a power loss leaves of files: that what was synced is there, and the rest is not. */
import { fstatSync, statSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { vi } from 'vitest'

/** Inode numbers are used again. */
function identityOf({ ino, birthtimeMs }: Stats): string {
  return `${ino} ${birthtimeMs}`
}

export class WatchedSyncs {
  /** By file, how many bytes the last fdatasync found in it. */
  readonly #synced = new Map<string, number>()

  /** Watches every fdatasync of this process until mocks are restored. @param directory any that exists */
  static async watch(directory: string): Promise<WatchedSyncs> {
    const watched = new WatchedSyncs()
    const handle = await open(directory)
    const prototype = Object.getPrototypeOf(handle) as FileHandle
    await handle.close()
    const original = prototype.datasync
    vi.spyOn(prototype, 'datasync').mockImplementation(function (this: FileHandle) {
      const stats = fstatSync(this.fd)
      watched.#synced.set(identityOf(stats), stats.size)
      return original.call(this)
    })
    return watched
  }

  /** Bytes of the file that are sure to be on the disk; undefined when it was never synced. */
  bytesOf(path: string): number | undefined {
    return this.#synced.get(identityOf(statSync(path)))
  }

  forget(): void {
    this.#synced.clear()
  }
}
