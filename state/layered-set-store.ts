import { ByteWriter, prefixEnd } from '#core'
import type { RecordBatchBuilder } from '#log'
import type { SetStore, SetStoreSpec } from '#topology'
import type { StateBackend } from './backend.ts'
import { changelogKind } from './changelog.ts'
import type { Journal, MapKey } from './journal.ts'
import { KeyCodec } from './key.ts'
import { removed } from './layered-store.ts'
import type { LayeredStore, Removed } from './layered-store.ts'
import {
  entryFlag,
  readSegmentKey,
  segmentBytesMax,
  segmentEntries,
  writeSegmentKey,
  writeSegmentPrefix,
} from './set-segment.ts'

/** A set as committed, loaded whole when first asked for. */
interface LoadedSet<V> {
  readonly members: Map<MapKey, V>
  /** Numbers of its segments in the backend, ascending. */
  readonly segments: number[]
  /** Size of the members in the segments, bytes: what the memory budget counts. */
  bytes: number
}

/** What one transaction does to one set. */
interface SetChange<V> {
  /** True: the set was emptied before `members` apply. */
  readonly dropped: boolean
  readonly members: Map<MapKey, V | Removed>
}

interface SealedChange<V> extends SetChange<V> {
  readonly segmentsAdded: readonly number[]
  readonly bytes: number
}

export interface SetStoreOptions {
  /** Encoded bytes of members kept in memory over all sets; beyond it the sets loaded longest ago go, until needed. */
  readonly memoryBytesMax?: number
}

/**
 * A SetStore whose members are looked up in memory and kept as segments in the backend and the changelog: one record
 * a transaction and set, however many members it gained.
 */
export class LayeredSetStore<K, M, V> implements SetStore<K, M, V>, LayeredStore {
  readonly name: string
  readonly #spec: SetStoreSpec<K, M, V>
  readonly #keys: KeyCodec<K>
  readonly #members: KeyCodec<M>
  readonly #backend: StateBackend
  readonly #journal: Journal
  readonly #storeId: number
  readonly #scratch = new ByteWriter(256)
  readonly #memoryBytesMax: number
  /** In the order of loading. */
  readonly #loaded = new Map<MapKey, LoadedSet<V>>()
  #loadedBytes = 0
  #active = new Map<MapKey, SetChange<V>>()
  /** Oldest first. */
  readonly #sealed: Map<MapKey, SealedChange<V>>[] = []

  constructor(
    spec: SetStoreSpec<K, M, V>,
    storeId: number,
    backend: StateBackend,
    journal: Journal,
    options: SetStoreOptions = {},
  ) {
    this.name = spec.name
    this.#spec = spec
    this.#keys = new KeyCodec(spec.key)
    this.#members = new KeyCodec(spec.member)
    this.#backend = backend
    this.#journal = journal
    this.#storeId = storeId
    this.#memoryBytesMax = options.memoryBytesMax ?? 256 << 20
  }

  has(key: K, member: M): boolean {
    return this.get(key, member) !== undefined
  }

  get(key: K, member: M): V | undefined {
    const mapKey = this.#keys.mapKey(key)
    const memberKey = this.#members.mapKey(member)
    const active = this.#active.get(mapKey)
    if (active !== undefined) {
      const found = active.members.get(memberKey)
      if (found !== undefined) return found === removed ? undefined : found
      if (active.dropped) return undefined
    }
    for (let at = this.#sealed.length - 1; at >= 0; at--) {
      const sealed = this.#sealed[at]?.get(mapKey)
      if (sealed === undefined) continue
      const found = sealed.members.get(memberKey)
      if (found !== undefined) return found === removed ? undefined : found
      if (sealed.dropped) return undefined
    }
    return this.#load(mapKey).members.get(memberKey)
  }

  size(key: K): number {
    let size = 0
    for (const _ of this.members(key)) size++
    return size
  }

  members(key: K): IterableIterator<[M, V]> {
    const mapKey = this.#keys.mapKey(key)
    const merged = new Map<MapKey, V>(this.#load(mapKey).members)
    for (const layer of [...this.#sealed, this.#active]) {
      const change = layer.get(mapKey)
      if (change !== undefined) applyChange(merged, change)
    }
    return decoded(merged, (memberKey) => this.#decodeMember(memberKey))
  }

  keys(): IterableIterator<K> {
    const found = new Map<string, Buffer>()
    const note = (setKey: Buffer): void => void found.set(setKey.toString('latin1'), setKey)
    const range = {
      gte: Buffer.from([this.#storeId, changelogKind.data]),
      lt: Buffer.from([this.#storeId, changelogKind.data + 1]),
    }
    for (const [key] of this.#backend.scan(range)) note(readSegmentKey(key.subarray(1)).setKey)
    for (const layer of [...this.#sealed, this.#active]) {
      for (const mapKey of layer.keys()) {
        const out = new ByteWriter(64)
        this.#keys.write(mapKey, out)
        note(out.toBuffer())
      }
    }
    return [...found]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([, setKey]) => this.#keys.decode(setKey))
      .filter((key) => !this.members(key).next().done)
      .values()
  }

  add(key: K, member: M, value: V): void {
    this.#journal.set(this.#change(key).members, this.#members.mapKey(member), value)
  }

  remove(key: K, member: M): void {
    this.#journal.set(this.#change(key).members, this.#members.mapKey(member), removed)
  }

  drop(key: K): void {
    this.#journal.set(this.#active, this.#keys.mapKey(key), { dropped: true, members: new Map() })
  }

  get dirty(): boolean {
    return this.#active.size > 0
  }

  seal(nextBuilder: () => RecordBatchBuilder, timestamp: number): void {
    const sealed = new Map<MapKey, SealedChange<V>>()
    for (const [mapKey, change] of this.#active) {
      sealed.set(mapKey, this.#sealChange(mapKey, change, nextBuilder, timestamp))
    }
    this.#sealed.push(sealed)
    this.#active = new Map()
  }

  settle(): void {
    const oldest = this.#sealed.shift()
    if (oldest === undefined) return
    for (const [mapKey, change] of oldest) {
      const set = this.#loaded.get(mapKey)
      if (set === undefined) continue
      applyChange(set.members, change)
      if (change.dropped) {
        set.segments.length = 0
        this.#loadedBytes -= set.bytes
        set.bytes = 0
      }
      set.segments.push(...change.segmentsAdded)
      set.bytes += change.bytes
      this.#loadedBytes += change.bytes
    }
    this.#evict()
  }

  discard(): void {
    this.#sealed.length = 0
    this.#active = new Map()
    // Restoring may write below us, so what is loaded may be stale.
    this.#loaded.clear()
    this.#loadedBytes = 0
  }

  #change(key: K): SetChange<V> {
    const mapKey = this.#keys.mapKey(key)
    let change = this.#active.get(mapKey)
    if (change === undefined) {
      change = { dropped: false, members: new Map() }
      this.#journal.set(this.#active, mapKey, change)
    }
    return change
  }

  #sealChange(
    mapKey: MapKey,
    change: SetChange<V>,
    nextBuilder: () => RecordBatchBuilder,
    timestamp: number,
  ): SealedChange<V> {
    const keyBytes = new ByteWriter(64)
    this.#keys.write(mapKey, keyBytes)
    const setKey = keyBytes.view()
    let next = this.#nextSegmentNumber(mapKey)
    const segmentKey = (builder: RecordBatchBuilder, number: number): void => {
      builder.begin(timestamp)
      writeSegmentKey(setKey, number, builder.openField())
      builder.closeField()
    }
    if (change.dropped) {
      for (const number of this.#segmentNumbers(mapKey)) {
        const builder = nextBuilder()
        segmentKey(builder, number)
        builder.writeField(null)
        builder.end()
      }
    }
    const segmentsAdded: number[] = []
    let bytes = 0
    const members = change.members.entries()
    for (let entry = members.next(); !entry.done;) {
      const builder = nextBuilder()
      segmentKey(builder, next)
      const out = builder.openField()
      const start = out.length
      while (!entry.done && out.length - start < segmentBytesMax / 2) {
        this.#writeEntry(entry.value[0], entry.value[1], out)
        entry = members.next()
      }
      bytes += out.length - start
      builder.closeField()
      builder.end()
      segmentsAdded.push(next++)
    }
    return { ...change, segmentsAdded, bytes }
  }

  #writeEntry(memberKey: MapKey, value: V | Removed, out: ByteWriter): void {
    const scratch = this.#scratch
    scratch.length = 0
    this.#members.write(memberKey, scratch)
    out.u8(value === removed ? entryFlag.removed : entryFlag.added)
    out.uvarint(scratch.length)
    out.bytes(scratch.view())
    if (value === removed) return
    scratch.length = 0
    this.#spec.value.write(value, scratch)
    out.uvarint(scratch.length)
    out.bytes(scratch.view())
  }

  /** Numbers of the set's segments as the newest sealed layer leaves them, ascending. */
  #segmentNumbers(mapKey: MapKey): readonly number[] {
    let numbers: readonly number[] = this.#load(mapKey).segments
    for (const layer of this.#sealed) {
      const change = layer.get(mapKey)
      if (change !== undefined) numbers = [...(change.dropped ? [] : numbers), ...change.segmentsAdded]
    }
    return numbers
  }

  /** The number after the highest one in use; numbers of a dropped set are not used again while we run. */
  #nextSegmentNumber(mapKey: MapKey): number {
    for (let at = this.#sealed.length - 1; at >= 0; at--) {
      const last = this.#sealed[at]?.get(mapKey)?.segmentsAdded.at(-1)
      if (last !== undefined) return last + 1
    }
    return (this.#load(mapKey).segments.at(-1) ?? -1) + 1
  }

  #load(mapKey: MapKey): LoadedSet<V> {
    const loaded = this.#loaded.get(mapKey)
    if (loaded !== undefined) return loaded
    const prefix = new ByteWriter(64)
    const keyBytes = new ByteWriter(64)
    this.#keys.write(mapKey, keyBytes)
    prefix.u8(this.#storeId)
    writeSegmentPrefix(keyBytes.view(), prefix)
    const gte = prefix.toBuffer()
    const set: LoadedSet<V> = { members: new Map(), segments: [], bytes: 0 }
    for (const [key, value] of this.#backend.scan({ gte, lt: prefixEnd(gte) ?? gte })) {
      set.segments.push(readSegmentKey(key.subarray(1)).number)
      set.bytes += value.length
      for (const entry of segmentEntries(value)) {
        const memberKey = this.#members.mapKey(this.#members.decode(entry.member))
        if (entry.value === undefined) set.members.delete(memberKey)
        else set.members.set(memberKey, this.#spec.value.read(entry.value, 0, entry.value.length))
      }
    }
    this.#loaded.set(mapKey, set)
    this.#loadedBytes += set.bytes
    return set
  }

  /** Sets with changes on their way stay: settling them needs their segment numbers. */
  #evict(): void {
    if (this.#loadedBytes <= this.#memoryBytesMax) return
    for (const [mapKey, set] of this.#loaded) {
      if (this.#active.has(mapKey) || this.#sealed.some((layer) => layer.has(mapKey))) continue
      this.#loaded.delete(mapKey)
      this.#loadedBytes -= set.bytes
      if (this.#loadedBytes <= this.#memoryBytesMax) return
    }
  }

  #decodeMember(memberKey: MapKey): M {
    const out = new ByteWriter(64)
    this.#members.write(memberKey, out)
    return this.#members.decode(out.view())
  }
}

function* decoded<M, V>(members: ReadonlyMap<MapKey, V>, decode: (key: MapKey) => M): Generator<[M, V]> {
  for (const [key, value] of members) yield [decode(key), value]
}

function applyChange<V>(members: Map<MapKey, V>, change: SetChange<V>): void {
  if (change.dropped) members.clear()
  for (const [memberKey, value] of change.members) {
    if (value === removed) members.delete(memberKey)
    else members.set(memberKey, value)
  }
}
