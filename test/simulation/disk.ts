/**
 * The disk of a simulated machine: directories of sorted keys with atomic writes in order. A crash of a process loses
 * none of them; a loss of power may lose the last ones, since the engine does not fsync state.
 */
import { MillraceError } from '#core'
import type { SeededRandom } from '#core'
import type { Actor, Scheduler } from '#log/simulated'
import type { WrittenCheckpoint } from '#processor'
import type { StateBackend, StateBatch, StateRange, StateStorage } from '#state'

type Undo = readonly (readonly [key: string, before: Buffer | undefined])[]

const checkpointPrefix = '\u0000checkpoint/'
/** Operating systems write back in the background: a loss of power takes no more writes than this. */
const unsyncedMax = 40
const openMs = 0.5

class Directory {
  readonly entries = new Map<string, Buffer>()
  unsynced: Undo[] = []
  lockedBy: Actor | undefined
  damaged = false
}

export class SimulatedDisk {
  readonly name: string
  readonly #directories = new Map<string, Directory>()
  #lives = 0
  /** Every checkpoint in the order of writing: for checkers. */
  readonly checkpoints: WrittenCheckpoint[] = []

  constructor(name: string) {
    this.name = name
  }

  /**
   * The disk as one process has it.
   * @param fill what a directory that is made begins with
   */
  storage(
    scheduler: Scheduler,
    actor: Actor,
    fill: (directory: string) => ReadonlyMap<string, Buffer>,
  ): StateStorage {
    return {
      open: (directory) =>
        new Promise((resolve, reject) => {
          scheduler.schedule(openMs, actor, 'open state', () => {
            try {
              resolve(this.#open(directory, actor, fill))
            } catch (error) {
              reject(error)
            }
          })
        }),
      wipe: async (directory) => this.wipe(directory),
    }
  }

  /** A look at a directory that nobody uses, at once. */
  inspect(): StateStorage {
    return {
      open: async (directory) =>
        this.#backend(directory, this.#directories.get(directory) ?? new Directory()),
      wipe: async () => {},
    }
  }

  get directories(): string[] {
    return [...this.#directories].filter(([, { damaged }]) => !damaged).map(([name]) => name)
  }

  wipe(directory: string): void {
    this.#directories.delete(directory)
    this.#lives++
  }

  damage(random: SeededRandom): number {
    const names = [...this.#directories.keys()]
    if (names.length === 0) return 0
    const directory = this.#directories.get(random.pick(names))
    if (directory !== undefined) directory.damaged = true
    return 1
  }

  wipeAll(): void {
    for (const name of this.directories) this.wipe(name)
  }

  /** Takes back a random number of the last writes of each directory; returns how many that were. */
  losePower(random: SeededRandom): number {
    let lost = 0
    this.#lives++
    for (const directory of this.#directories.values()) {
      const keep = random.integer(0, directory.unsynced.length + 1)
      for (const undo of directory.unsynced.splice(keep).toReversed()) {
        lost++
        for (const [key, before] of undo.toReversed()) {
          if (before === undefined) directory.entries.delete(key)
          else directory.entries.set(key, before)
        }
      }
      directory.unsynced = []
    }
    return lost
  }

  #open(name: string, actor: Actor, fill: (directory: string) => ReadonlyMap<string, Buffer>): StateBackend {
    let directory = this.#directories.get(name)
    if (directory === undefined) {
      directory = new Directory()
      this.#directories.set(name, directory)
    }
    if (directory.lockedBy?.alive === true) throw failure('ROCKSDB_LOCKED', 'stop', `${name} is locked`)
    if (directory.damaged) throw failure('STATE_UNUSABLE', 'wipe-restore', `${name} is damaged`)
    if (directory.entries.size === 0) {
      for (const [key, value] of fill(name)) directory.entries.set(key, value)
    }
    directory.lockedBy = actor
    return this.#backend(name, directory)
  }

  #backend(name: string, directory: Directory): StateBackend {
    const { entries } = directory
    return {
      getMany: (keys) => keys.map((key) => entries.get(latin1(key))),
      write: (fill) => this.#write(name, directory, fill),
      deleteRange: (range) => {
        const from = latin1(range.gte)
        const to = latin1(range.lt)
        const gone = [...entries.keys()].filter((key) => key >= from && key < to)
        this.#write(name, directory, (batch) => {
          for (const key of gone) batch.delete(Buffer.from(key, 'latin1'))
        })
      },
      *scan(range: StateRange) {
        const from = latin1(range.gte)
        const to = latin1(range.lt)
        const found = [...entries].filter(([key]) => key >= from && key < to)
        found.sort(([a], [b]) => (a < b ? -1 : 1))
        for (const [key, value] of found) yield [Buffer.from(key, 'latin1'), value] as const
      },
      close: async () => {
        directory.lockedBy = undefined
      },
    }
  }

  #write(name: string, directory: Directory, fill: (batch: StateBatch) => void): void {
    const writes: [key: string, value: Buffer | undefined][] = []
    fill({
      put: (key, value) => void writes.push([latin1(key), Buffer.from(value)]),
      delete: (key) => void writes.push([latin1(key), undefined]),
    })
    const undo = writes.map(([key, value]) => {
      const before = directory.entries.get(key)
      if (value === undefined) directory.entries.delete(key)
      else directory.entries.set(key, value)
      if (value !== undefined && key.startsWith(checkpointPrefix)) this.#noteCheckpoint(name, key, value)
      return [key, before] as const
    })
    directory.unsynced.push(undo)
    if (directory.unsynced.length > unsyncedMax) directory.unsynced.shift()
  }

  #noteCheckpoint(directory: string, key: string, value: Buffer): void {
    const { offset } = JSON.parse(value.toString()) as { readonly offset: number }
    const store = key.slice(checkpointPrefix.length)
    this.checkpoints.push({ life: `${this.name}${directory}#${this.#lives}`, store, offset })
  }
}

function failure(code: string, reaction: 'stop' | 'wipe-restore', message: string): MillraceError {
  return new MillraceError(code, message, { domain: 'external', reaction })
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
