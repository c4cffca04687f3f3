import { invariant } from '#core'
import { RecordCursor } from '#log'
import type { FetchedRecords, RecordBatchBuilder } from '#log'
import type { StoreSpec } from '#topology'
import type { StateBackend, StateBatch } from './backend.ts'
import { changelogKind, readPosition, writePosition } from './changelog.ts'
import type { TaskPosition } from './changelog.ts'
import type { Checkpoint } from './checkpoint.ts'
import { Journal } from './journal.ts'
import { LayeredKeyValueStore } from './layered-key-value-store.ts'
import { LayeredSetStore } from './layered-set-store.ts'
import type { LayeredStore } from './layered-store.ts'
import { MemoryBackend } from './memory-backend.ts'
import type { StateStorage } from './storage.ts'

export interface TaskStateOptions {
  /** Of this task alone; created when missing. */
  readonly directory: string
  /** Sorted by name. */
  readonly stores: readonly StoreSpec[]
  readonly storage: StateStorage
  readonly setMemoryBytesMax?: number
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
  readonly #positionStore: string | undefined
  /** Scratch for database keys: store id and changelog key. */
  #key = Buffer.allocUnsafe(256)

  private constructor(
    options: TaskStateOptions,
    backends: ReadonlySet<StateBackend>,
    stores: ReadonlyMap<string, OpenStore>,
    journal: Journal,
  ) {
    this.directory = options.directory
    this.#backends = backends
    this.#stores = stores
    this.#journal = journal
    this.#positionStore = options.stores[0]?.name
  }

  /**
   * Opens the directory. Errors: ROCKSDB_LOCKED; STATE_UNUSABLE when it is damaged (wipe it and open again).
   */
  static async open(options: TaskStateOptions): Promise<TaskState> {
    const persistent = options.stores.some((spec) => spec.persistent)
    const disk = persistent ? await options.storage.open(options.directory) : undefined
    const memory = new MemoryBackend()
    const backends = new Set<StateBackend>(disk === undefined ? [memory] : [disk, memory])
    const journal = new Journal()
    const stores = new Map<string, OpenStore>()
    try {
      for (const spec of options.stores) {
        const backend = spec.persistent && disk !== undefined ? disk : memory
        const id = storeIdOf(spec.name, backend)
        stores.set(spec.name, { id, backend, layered: layered(spec, id, backend, journal, options) })
      }
    } catch (error) {
      for (const backend of backends) await backend.close()
      throw error
    }
    return new TaskState(options, backends, stores, journal)
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
    for (const [name, { layered: store }] of this.#stores) store.seal(() => nextBuilder(name), timestamp)
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
    for (const backend of this.#backends) {
      const own = changes.filter(({ store }) => this.#open(store).backend === backend)
      if (own.length === 0) continue
      backend.write((batch) => {
        for (const change of own) {
          const cursor = new RecordCursor(change.builders.map((builder) => builder.finish()))
          this.#apply(cursor, this.#open(change.store).id, batch)
          putCheckpoint(batch, change.store, checkpointOf(change))
        }
      })
    }
    for (const { layered: store } of this.#stores.values()) store.settle()
  }

  /** Drops all that is not in the database. */
  discard(): void {
    this.#journal.release()
    for (const { layered: store } of this.#stores.values()) store.discard()
  }

  // ----------------------------------------------------------------------------------------------------- restore

  /** Applies records read from a store's changelog, with the checkpoint they reach, in one write; returns how many. */
  restore(store: string, records: FetchedRecords, checkpoint: Checkpoint): number {
    const { id, backend } = this.#open(store)
    let count = 0
    backend.write((batch) => {
      count = this.#apply(records.cursor(), id, batch)
      putCheckpoint(batch, store, checkpoint)
    })
    return count
  }

  checkpoint(store: string): Checkpoint | undefined {
    const bytes = this.#open(store).backend.getMany([checkpointKey(store)])[0]
    return bytes === undefined ? undefined : (JSON.parse(bytes.toString()) as Checkpoint)
  }

  /** The position in the committed state; undefined before the first commit, and for a task without stores. */
  position(): TaskPosition | undefined {
    if (this.#positionStore === undefined) return undefined
    const { id, backend } = this.#open(this.#positionStore)
    const bytes = backend.getMany([Buffer.from([id, changelogKind.position])])[0]
    return bytes === undefined ? undefined : readPosition(bytes)
  }

  /** Every committed entry of a store as changelog key and value, in key order: for checkers. */
  *dump(store: string): Generator<readonly [key: Buffer, value: Buffer]> {
    const { id, backend } = this.#open(store)
    const range = { gte: Buffer.from([id]), lt: Buffer.from([id, 0xff]) }
    for (const [key, value] of backend.scan(range)) yield [key.subarray(1), value]
  }

  async close(): Promise<void> {
    for (const backend of this.#backends) await backend.close()
  }

  #open(store: string): OpenStore {
    const found = this.#stores.get(store)
    invariant(found !== undefined, `store ${store} belongs to the task in ${this.directory}`)
    return found
  }

  #apply(cursor: RecordCursor, storeId: number, batch: StateBatch): number {
    let count = 0
    while (cursor.next()) {
      count++
      const size = 1 + cursor.keyEnd - cursor.keyStart
      if (size > this.#key.length) this.#key = Buffer.allocUnsafe(size * 2)
      this.#key[0] = storeId
      cursor.buffer.copy(this.#key, 1, cursor.keyStart, cursor.keyEnd)
      const key = this.#key.subarray(0, size)
      const value = cursor.value()
      if (value === null) batch.delete(key)
      else batch.put(key, value)
    }
    return count
  }
}

function layered(
  spec: StoreSpec,
  id: number,
  backend: StateBackend,
  journal: Journal,
  options: TaskStateOptions,
): LayeredStore {
  if (spec.kind === 'key-value') {
    return new LayeredKeyValueStore(spec, id, backend, journal)
  }
  const memory = options.setMemoryBytesMax
  return new LayeredSetStore(
    spec,
    id,
    backend,
    journal,
    memory === undefined ? {} : { memoryBytesMax: memory },
  )
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
