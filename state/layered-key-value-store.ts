import { ByteWriter, prefixEnd } from '#core'
import type { RecordBatchBuilder } from '#log'
import type { KeyValueStore, KeyValueStoreSpec } from '#topology'
import type { StateBackend } from './backend.ts'
import { changelogKind } from './changelog.ts'
import { CleanCache } from './clean-cache.ts'
import type { Journal, MapKey } from './journal.ts'
import { KeyCodec } from './key.ts'
import { removed } from './layered-store.ts'
import type { LayeredStore, Removed } from './layered-store.ts'
import type { OpenScans } from './open-scans.ts'

/** Keys in the database begin with the store's id and the kind byte. */
const prefixBytes = 2

/** Of each store of a task. Values are small by contract, so a count bounds the memory well enough. */
const cachedEntriesMax = 4096

type Layer<V> = Map<MapKey, V | Removed>

/** A KeyValueStore over a backend; a key is encoded once a transaction, however often it was written. */
export class LayeredKeyValueStore<K, V> implements KeyValueStore<K, V>, LayeredStore {
  readonly name: string
  readonly #spec: KeyValueStoreSpec<K, V>
  readonly #keys: KeyCodec<K>
  readonly #backend: StateBackend
  readonly #journal: Journal
  readonly #scans: OpenScans
  readonly #scratch = new ByteWriter(256)
  readonly #prefix: Buffer
  readonly #clean = new CleanCache<V | Removed>(cachedEntriesMax)
  #active: Layer<V> = new Map()
  /** Oldest first. */
  readonly #sealed: Layer<V>[] = []

  constructor(
    spec: KeyValueStoreSpec<K, V>,
    options: {
      readonly storeId: number
      readonly backend: StateBackend
      readonly journal: Journal
      readonly scans: OpenScans
    },
  ) {
    const { storeId, backend, journal, scans } = options
    this.name = spec.name
    this.#spec = spec
    this.#keys = new KeyCodec(spec.key)
    this.#backend = backend
    this.#journal = journal
    this.#scans = scans
    this.#prefix = Buffer.from([storeId, changelogKind.data])
  }

  get(key: K): V | undefined {
    const mapKey = this.#keys.mapKey(key)
    const found = this.#inLayers(mapKey) ?? this.#clean.get(mapKey) ?? this.#fetch(mapKey, key)
    return found === removed ? undefined : found
  }

  getMany(keys: readonly K[]): (V | undefined)[] {
    const values: (V | undefined)[] = Array.from({ length: keys.length })
    const missing: number[] = []
    const databaseKeys: Buffer[] = []
    for (const [index, key] of keys.entries()) {
      const mapKey = this.#keys.mapKey(key)
      const found = this.#inLayers(mapKey) ?? this.#clean.get(mapKey)
      if (found === undefined) {
        missing.push(index)
        databaseKeys.push(Buffer.from(this.#databaseKey(this.#keys.encode(key))))
      } else if (found !== removed) {
        values[index] = found
      }
    }
    if (missing.length > 0) {
      const rows = this.#backend.getMany(databaseKeys)
      for (const [row, index] of missing.entries()) values[index] = this.#decode(rows[row])
    }
    return values
  }

  put(key: K, value: V): void {
    this.#journal.set(this.#active, this.#keys.mapKey(key), value)
  }

  delete(key: K): void {
    this.#journal.set(this.#active, this.#keys.mapKey(key), removed)
  }

  range(from?: K, to?: K): IterableIterator<[K, V]> {
    const gte = from === undefined ? this.#prefix : Buffer.concat([this.#prefix, this.#keys.encode(from)])
    const lt = to === undefined ? this.#end() : Buffer.concat([this.#prefix, this.#keys.encode(to)])
    return this.#scan(gte, lt)
  }

  prefix(prefix: K): IterableIterator<[K, V]> {
    const gte = Buffer.concat([this.#prefix, this.#keys.encode(prefix)])
    return this.#scan(gte, prefixEnd(gte) ?? this.#end())
  }

  /** Exact, by a scan: meant for operators and tests, not for the hot path. */
  approximateCount(): number {
    let count = 0
    for (const _ of this.range()) count++
    return count
  }

  get dirty(): boolean {
    return this.#active.size > 0
  }

  seal(nextBuilder: () => RecordBatchBuilder, timestamp: number): void {
    for (const [mapKey, value] of this.#active) {
      const builder = nextBuilder()
      builder.begin(timestamp)
      const out = builder.openField()
      out.u8(changelogKind.data)
      this.#keys.write(mapKey, out)
      builder.closeField()
      if (value === removed) {
        builder.writeField(null)
      } else {
        this.#spec.value.write(value, builder.openField())
        builder.closeField()
      }
      builder.end()
    }
    this.#sealed.push(this.#active)
    this.#active = new Map()
  }

  settle(): void {
    const settled = this.#sealed.shift()
    if (settled !== undefined) for (const [mapKey, value] of settled) this.#clean.set(mapKey, value)
  }

  afterWrite(): void {}

  restored(): void {}

  mergeSegments(): boolean {
    return false
  }

  discard(): void {
    // Restoring may write below us.
    this.#clean.clear()
    this.#sealed.length = 0
    this.#active = new Map()
  }

  #inLayers(key: MapKey): V | Removed | undefined {
    const active = this.#active.get(key)
    if (active !== undefined) return active
    for (let at = this.#sealed.length - 1; at >= 0; at--) {
      const sealed = (this.#sealed[at] as Layer<V>).get(key)
      if (sealed !== undefined) return sealed
    }
    return undefined
  }

  #fetch(mapKey: MapKey, key: K): V | Removed {
    const value =
      this.#decode(this.#backend.getMany([this.#databaseKey(this.#keys.encode(key))])[0]) ?? removed
    this.#clean.set(mapKey, value)
    return value
  }

  #decode(bytes: Buffer | undefined): V | undefined {
    return bytes === undefined ? undefined : this.#spec.value.read(bytes, 0, bytes.length)
  }

  /** A view, valid until the next call. */
  #databaseKey(encodedKey: Buffer): Buffer {
    const scratch = this.#scratch
    scratch.length = 0
    scratch.bytes(this.#prefix)
    scratch.bytes(encodedKey)
    return scratch.view()
  }

  #end(): Buffer {
    return Buffer.from([this.#prefix[0] as number, changelogKind.data + 1])
  }

  /** Merges the backend's entries with the layers as they are now; later writes are not seen. */
  #scan(gte: Buffer, lt: Buffer): IterableIterator<[K, V]> {
    const layered = new Map<string, V | Removed>()
    for (const layer of [...this.#sealed, this.#active]) {
      for (const [mapKey, value] of layer) {
        const out = this.#scratch
        out.length = 0
        out.bytes(this.#prefix)
        this.#keys.write(mapKey, out)
        const key = out.view()
        if (key.compare(gte) >= 0 && key.compare(lt) < 0) layered.set(key.toString('latin1'), value)
      }
    }
    // The order of latin1 strings is the bytewise order of the keys.
    const above = [...layered].toSorted(([a], [b]) => (a < b ? -1 : 1))
    return this.#scans.guard(this.#merge(above, this.#backend.scan({ gte, lt })))
  }

  *#merge(
    above: readonly (readonly [key: string, value: V | Removed])[],
    below: Iterable<readonly [Buffer, Buffer]>,
  ): Generator<[K, V]> {
    let at = 0
    for (const [key, bytes] of below) {
      const text = key.toString('latin1')
      let shadowed = false
      for (let next = above[at]; next !== undefined && next[0] <= text; next = above[++at]) {
        if (next[1] !== removed) yield [this.#keyOf(next[0]), next[1]]
        shadowed ||= next[0] === text
      }
      if (!shadowed)
        yield [this.#keys.decode(key, prefixBytes), this.#spec.value.read(bytes, 0, bytes.length)]
    }
    for (const [key, value] of above.slice(at)) if (value !== removed) yield [this.#keyOf(key), value]
  }

  #keyOf(databaseKey: string): K {
    return this.#keys.decode(Buffer.from(databaseKey, 'latin1'), prefixBytes)
  }
}
