import { randomBytes } from 'node:crypto'
import { invariant } from '#core'
import { RecordCursor } from '#log'
import type { FetchedRecords, RecordBatchBuilder } from '#log'
import type { StoreSpec } from '#topology'
import type { StateBackend, StateBatch } from './backend.ts'
import { changelogKind, localKind, readPosition, writePosition } from './changelog.ts'
import type { TaskPosition } from './changelog.ts'
import { checkpointRenewalMs, readCheckpoint } from './checkpoint.ts'
import type { Checkpoint } from './checkpoint.ts'
import { DatabaseKeys } from './database-keys.ts'
import { stateUnusable } from './errors.ts'
import { Journal } from './journal.ts'
import { LayeredKeyValueStore } from './layered-key-value-store.ts'
import { LayeredSetStore } from './layered-set-store.ts'
import type { LayeredStore } from './layered-store.ts'
import { MemberHash } from './member-hash.ts'
import { MemoryBackend } from './memory-backend.ts'
import { OpenScans } from './open-scans.ts'
import { SetMemory } from './set-memory.ts'
import type { StateStorage } from './storage.ts'

export interface TaskStateOptions {
  /** Of this task alone; created when missing. */
  readonly directory: string
  /** Sorted by name. */
  readonly stores: readonly StoreSpec[]
  readonly storage: StateStorage
  /** What members of sets take in memory over all sets, bytes; uncommitted ones not counted. Default 256 MiB. */
  readonly setMemoryBytesMax?: number
  /** Sets that take more leave memory in parts, smaller ones whole, bytes. Default 1 MiB. */
  readonly setShardFromBytes?: number
}

/** The changelog batches of one store in one transaction. */
export interface StoreChanges {
  readonly store: string
  readonly builders: readonly RecordBatchBuilder[]
}

interface OpenStore {
  readonly id: number
  readonly backend: StateBackend
  readonly layered: LayeredStore
}

/** Database keys that begin with it are ours, not a store's. */
const metaId = 0
const storeIdMax = 255

const hashSeedBytes = 8

/**
 * All stores of one task over one database: overlay, changelog records, checkpoints.
 *
 * Life of a transaction: writes collect in the stores' top layers (each record a savepoint: `release` or
 * `rollback`); `seal` turns them into changelog records; once those are committed, `settle` writes the very same
 * bytes and their checkpoint into the database in one batch. So the database never holds an uncommitted write and
 * is always a prefix of the committed changelog.
 */
export class TaskState {
  readonly directory: string
  readonly #backends: ReadonlySet<StateBackend>
  readonly #stores: ReadonlyMap<string, OpenStore>
  readonly #journal: Journal
  readonly #scans: OpenScans
  readonly #memory: SetMemory
  readonly #positionStore: string | undefined
  readonly #keys = new DatabaseKeys()

  private constructor(
    options: TaskStateOptions,
    backends: ReadonlySet<StateBackend>,
    stores: ReadonlyMap<string, OpenStore>,
    shared: SharedParts,
  ) {
    this.directory = options.directory
    this.#backends = backends
    this.#stores = stores
    this.#journal = shared.journal
    this.#scans = shared.scans
    this.#memory = shared.memory
    this.#positionStore = options.stores[0]?.name
  }

  /**
   * Opens the directory. Errors: ROCKSDB_LOCKED or STATE_LOCKED (somebody has it open); STATE_UNUSABLE when it is
   * damaged (wipe it and open again); DIRECTORY_FOREIGN when it holds something of others, DIRECTORY_FAILED when it
   * cannot be made.
   */
  static async open(options: TaskStateOptions): Promise<TaskState> {
    const persistent = options.stores.some((spec) => spec.persistent)
    const disk = persistent ? await options.storage.open(options.directory) : undefined
    const memory = new MemoryBackend()
    const backends = new Set<StateBackend>(disk === undefined ? [memory] : [disk, memory])
    const shared: SharedParts = {
      journal: new Journal(),
      scans: new OpenScans(),
      memory: new SetMemory(options.setMemoryBytesMax ?? 256 << 20),
    }
    const stores = new Map<string, OpenStore>()
    try {
      for (const spec of options.stores) {
        const backend = spec.persistent && disk !== undefined ? disk : memory
        const id = storeIdOf(spec.name, backend)
        stores.set(spec.name, { id, backend, layered: layered(spec, id, backend, shared, options) })
      }
    } catch (error) {
      for (const backend of backends) await backend.close()
      throw error
    }
    return new TaskState(options, backends, stores, shared)
  }

  /** What the committed members of sets take in memory now, bytes. */
  get setMemoryBytes(): number {
    return this.#memory.byteLength
  }

  /** The KeyValueStore or SetStore of a specification, as processors use it. */
  store(spec: StoreSpec): LayeredStore {
    return this.#open(spec.name).layered
  }

  // ------------------------------------------------------------------------------------------------- transaction

  /** Accepts the writes since the last release or rollback. */
  release(): void {
    this.#journal.release()
  }

  /** Takes back the writes since the last release. */
  rollback(): void {
    this.#journal.rollback()
  }

  /** About how many bytes the unsealed writes hold in memory. */
  get pendingBytes(): number {
    return this.#journal.writtenBytes
  }

  /** Stores with unsealed writes. */
  dirtyStores(): string[] {
    return [...this.#stores].filter(([, { layered: store }]) => store.dirty).map(([name]) => name)
  }

  /** Where the position record goes: the first changelog by store name; undefined for a task without stores. */
  get positionStore(): string | undefined {
    return this.#positionStore
  }

  /**
   * Turns the writes of the top layer into changelog records and puts a new layer above it. Every store is sealed,
   * dirty or not, so that layers and transactions stay in step.
   * @param nextBuilder answers the batch to write each record of a store into, in turn
   * @param timestamp of the records, milliseconds since the epoch
   */
  seal(nextBuilder: (store: string) => RecordBatchBuilder, timestamp: number): void {
    this.#scans.closeAll()
    for (const [name, { layered: store }] of this.#stores) store.seal(() => nextBuilder(name), timestamp)
    this.#journal.writtenBytes = 0
  }

  /** Appends the hidden record that carries the task's position through the changelog. */
  sealPosition(position: TaskPosition, builder: RecordBatchBuilder, timestamp: number): void {
    builder.begin(timestamp)
    builder.openField().u8(changelogKind.position)
    builder.closeField()
    writePosition(position, builder.openField())
    builder.closeField()
    builder.end()
  }

  /**
   * The oldest sealed transaction is committed: its changelog records become the state, its layer goes away.
   * @param checkpointOf the checkpoint that a store's changes reach
   */
  settle<C extends StoreChanges>(changes: readonly C[], checkpointOf: (change: C) => Checkpoint): void {
    this.#scans.closeAll()
    for (const backend of this.#backends) {
      backend.write((batch) => {
        for (const change of changes) {
          const { id, backend: target } = this.#open(change.store)
          if (target !== backend) continue
          const cursor = new RecordCursor(change.builders.map((builder) => builder.finish()))
          this.#apply(cursor, id, batch)
          putCheckpoint(batch, change.store, checkpointOf(change))
        }
        for (const store of this.#storesOf(backend)) store.settle(batch)
      })
      for (const store of this.#storesOf(backend)) store.afterWrite()
    }
  }

  /** Drops all that is not in the database. */
  discard(): void {
    this.#scans.closeAll()
    this.#journal.release()
    this.#journal.writtenBytes = 0
    for (const { layered: store } of this.#stores.values()) store.discard()
  }

  /**
   * For quiet moments: merges small segments of sets in the top layer, so that the next transaction carries them like
   * any other write; false when there is nothing to merge, or a transaction is on its way. Only between records.
   * @param bytesMax bounds the work of one call: no further merge is begun once so many bytes were read
   */
  mergeSegments(bytesMax: number): boolean {
    let merged = false
    for (const { layered: store } of this.#stores.values()) merged = store.mergeSegments(bytesMax) || merged
    return merged
  }

  // ----------------------------------------------------------------------------------------------------- restore

  /** Applies records read from a store's changelog, with the checkpoint they reach, in one write; returns how many. */
  restore(store: string, records: FetchedRecords, checkpoint: Checkpoint): number {
    const { id, backend, layered: restored } = this.#open(store)
    // What is kept in memory does not know of these records.
    this.#scans.closeAll()
    restored.discard()
    let count = 0
    backend.write((batch) => {
      count = this.#apply(records.cursor(), id, batch, restored)
      putCheckpoint(batch, store, checkpoint)
    })
    restored.afterWrite()
    return count
  }

  /** Notes that everything of a store's changelog up to a checkpoint is in the state, without a record of it. */
  advance(store: string, checkpoint: Checkpoint): void {
    this.#open(store).backend.write((batch) => putCheckpoint(batch, store, checkpoint))
  }

  /**
   * Dates checkpoints anew that are an hour old: for when all that was committed to the changelogs until `asOf` is in
   * the state, or on its way into it. Without it a store that nobody writes to for days would seem to have missed what
   * compaction removed meanwhile. Offsets stay as they are. Errors: STATE_UNUSABLE.
   */
  renewCheckpoints(asOf: number, stores: Iterable<string> = this.#stores.keys()): void {
    for (const store of stores) {
      const checkpoint = this.checkpoint(store)
      if (checkpoint === undefined || asOf - checkpoint.writtenAt < checkpointRenewalMs) continue
      this.advance(store, { ...checkpoint, writtenAt: asOf })
    }
  }

  /** Offsets of all changelogs that are in the state, added up: how much of it there is. Errors: STATE_UNUSABLE. */
  changelogPosition(): number {
    let position = 0
    for (const store of this.#stores.keys()) position += this.checkpoint(store)?.offset ?? 0
    return position
  }

  /** Errors: STATE_UNUSABLE. */
  checkpoint(store: string): Checkpoint | undefined {
    const bytes = this.#open(store).backend.getMany([checkpointKey(store)])[0]
    if (bytes === undefined) return undefined
    const checkpoint = readCheckpoint(bytes)
    if (checkpoint === undefined) throw stateUnusable(this.directory, `the checkpoint of ${store} is damaged`)
    return checkpoint
  }

  /**
   * The position in the committed state; undefined before the first commit, and for a task without stores.
   * Errors: STATE_UNUSABLE.
   */
  position(): TaskPosition | undefined {
    if (this.#positionStore === undefined) return undefined
    const { id, backend } = this.#open(this.#positionStore)
    const bytes = backend.getMany([Buffer.from([id, changelogKind.position])])[0]
    try {
      return bytes === undefined ? undefined : readPosition(bytes)
    } catch {
      throw stateUnusable(this.directory, 'the position of the task is damaged')
    }
  }

  /** Every committed entry of a store as changelog key and value, in key order: for checkers. */
  *dump(store: string): Generator<readonly [key: Buffer, value: Buffer]> {
    const { id, backend } = this.#open(store)
    const range = { gte: Buffer.from([id]), lt: Buffer.from([id, localKind.spilled]) }
    for (const [key, value] of backend.scan(range)) yield [key.subarray(1), value]
  }

  /** Iterators that are still open end with an error. */
  async close(): Promise<void> {
    this.#scans.closeAll()
    for (const backend of this.#backends) await backend.close()
  }

  #open(store: string): OpenStore {
    const found = this.#stores.get(store)
    invariant(found !== undefined, `store ${store} belongs to the task in ${this.directory}`)
    return found
  }

  *#storesOf(backend: StateBackend): Generator<LayeredStore> {
    for (const store of this.#stores.values()) if (store.backend === backend) yield store.layered
  }

  /** @param restored told of each record, when they come from the changelog instead of its own layers */
  #apply(cursor: RecordCursor, storeId: number, batch: StateBatch, restored?: LayeredStore): number {
    let count = 0
    while (cursor.next()) {
      count++
      const key = this.#keys.of(storeId, cursor)
      const value = cursor.value()
      if (value === null) batch.delete(key)
      else batch.put(key, value)
      restored?.restored(key.subarray(1), value, batch)
    }
    return count
  }
}

/** What all stores of a task have in common. */
interface SharedParts {
  readonly journal: Journal
  readonly scans: OpenScans
  readonly memory: SetMemory
}

function layered(
  spec: StoreSpec,
  storeId: number,
  backend: StateBackend,
  shared: SharedParts,
  options: TaskStateOptions,
): LayeredStore {
  if (spec.kind === 'key-value') return new LayeredKeyValueStore(spec, { ...shared, storeId, backend })
  const { directory, setShardFromBytes: shardFromBytes = 1 << 20 } = options
  const hash = new MemberHash(hashSeedOf(backend))
  return new LayeredSetStore(spec, { ...shared, storeId, backend, hash, shardFromBytes, directory })
}

/** A secret of this directory; what is spilled into it is placed by it. */
function hashSeedOf(backend: StateBackend): Buffer {
  const key = metaKey('hash-seed')
  const known = backend.getMany([key])[0]
  if (known?.length === hashSeedBytes) return known
  const seed = randomBytes(hashSeedBytes)
  backend.write((batch) => batch.put(key, seed))
  return seed
}

/** A store keeps the id it got at its first use, so that stores may come and go. */
function storeIdOf(name: string, backend: StateBackend): number {
  const key = metaKey(`store/${name}`)
  const known = backend.getMany([key])[0]?.[0]
  if (known !== undefined) return known
  let highest = 0
  for (const [, value] of backend.scan({ gte: metaKey('store/'), lt: metaKey('store0') })) {
    highest = Math.max(highest, value[0] as number)
  }
  invariant(highest < storeIdMax, `a task has at most ${storeIdMax} stores in its life`)
  backend.write((batch) => batch.put(key, Buffer.from([highest + 1])))
  return highest + 1
}

function putCheckpoint(batch: StateBatch, store: string, checkpoint: Checkpoint): void {
  batch.put(checkpointKey(store), Buffer.from(JSON.stringify(checkpoint)))
}

function checkpointKey(store: string): Buffer {
  return metaKey(`checkpoint/${store}`)
}

function metaKey(text: string): Buffer {
  return Buffer.from(`${String.fromCodePoint(metaId)}${text}`)
}
