/** A file system of a fixed size that a test can fill up. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export class SmallDisk {
  readonly directory: string

  private constructor(directory: string) {
    this.directory = directory
  }

  /** Needs the right to mount (root); fails with that text otherwise. */
  static mount(megabytes: number): SmallDisk {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-disk-'))
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', directory], {
        stdio: 'pipe',
      })
    } catch (error) {
      rmSync(directory, { recursive: true })
      throw new Error('This test mounts a small tmpfs: run it as root.', { cause: error })
    }
    return new SmallDisk(directory)
  }

  get #balloon(): string {
    return join(this.directory, 'balloon')
  }

  /** Takes all the space but so many bytes. */
  fillUpTo(freeBytes: number): void {
    const { bavail, bsize } = statfsSync(this.directory)
    writeFileSync(this.#balloon, Buffer.alloc(Math.max(0, bavail * bsize - freeBytes)))
  }

  /** Gives the space back. */
  release(): void {
    rmSync(this.#balloon, { force: true })
  }

  unmount(): void {
    execFileSync('umount', ['--lazy', this.directory])
    rmSync(this.directory, { recursive: true, force: true })
  }
}
