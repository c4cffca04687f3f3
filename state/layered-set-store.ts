import { ByteWriter, invariant, prefixEnd } from '#core'
import type { RecordBatchBuilder } from '#log'
import type { SetStore, SetStoreSpec } from '#topology'
import type { StateBackend, StateBatch } from './backend.ts'
import { changelogKind } from './changelog.ts'
import { CommittedSet } from './committed-set.ts'
import type { Segment } from './committed-set.ts'
import { stateUnusable } from './errors.ts'
import type { Journal, MapKey } from './journal.ts'
import { KeyCodec } from './key.ts'
import type { LayeredStore } from './layered-store.ts'
import { MemberChanges } from './member-changes.ts'
import type { MemberHash } from './member-hash.ts'
import type { OpenScans } from './open-scans.ts'
import { mergeSegments, runToMerge } from './segment-merge.ts'
import type { SetMemory } from './set-memory.ts'
import {
  SegmentCursor,
  readSegmentKey,
  segmentBytesMax,
  writeSegmentKey,
  writeSegmentPrefix,
} from './set-segment.ts'
import { SpilledMembers } from './spilled-members.ts'

/** What one transaction does to one set. */
interface SetChange {
  /** True: the set was emptied before `members` apply. */
  readonly dropped: boolean
  readonly members: MemberChanges
  /** Comes before `members`; never together with `dropped`. */
  readonly merge?: Merge
}

/** Neighbouring segments that become one. */
interface Merge {
  /** Numbers that go away. */
  readonly gone: readonly number[]
  /** The highest number of the merged ones; it goes away too when `value` is undefined. */
  readonly into: number
  readonly value: Buffer | undefined
}

interface SealedChange extends SetChange {
  readonly added: readonly { readonly segment: Segment; readonly value: Buffer }[]
}

export interface SetStoreOptions {
  readonly storeId: number
  readonly backend: StateBackend
  readonly journal: Journal
  readonly scans: OpenScans
  readonly hash: MemberHash
  /** Shared by all set stores of a task. */
  readonly memory: SetMemory
  /** Sets that take more memory leave it shard by shard instead of whole, bytes. */
  readonly shardFromBytes: number
  /** Of the task, for errors. */
  readonly directory: string
}

/** The last word on a member of the layers. */
interface ChangedMember {
  readonly member: Buffer
  /** undefined: removed. */
  readonly value: Buffer | undefined
}

interface AllChanges {
  readonly dropped: boolean
  /** By the member's bytes as latin1. */
  readonly entries: ReadonlyMap<string, ChangedMember>
}

const removed = Symbol('removed')

/** Of an entry and its slot, for the bound of a transaction. */
const entryOverheadBytes = 20
/** So many are kept for the next transactions. */
const freeMax = 256

/** Set keys are read past after so many segments of the same set, by a new scan. */
const segmentsBeforeSeek = 64

/**
 * A SetStore whose members are looked up in memory, as far as it goes, and kept as segments in the backend and the
 * changelog: one record a transaction and set, however many members it gained.
 */
export class LayeredSetStore<K, M, V> implements SetStore<K, M, V>, LayeredStore {
  readonly name: string
  readonly #spec: SetStoreSpec<K, M, V>
  readonly #options: SetStoreOptions
  readonly #keys: KeyCodec<K>
  readonly #members: KeyCodec<M>
  readonly #backend: StateBackend
  readonly #scratch = new ByteWriter(256)
  readonly #readValue: (buffer: Buffer, start: number, end: number) => V
  readonly #loaded = new Map<MapKey, CommittedSet>()
  /** The set that is being loaded. */
  #loading: CommittedSet | undefined
  /** Sets with a part in the database, by encoded key; undefined until asked for. */
  #spilled: Map<string, SpilledMembers> | undefined
  /** Spilled members whose mark is deleted by a batch on its way. */
  readonly #garbage: SpilledMembers[] = []
  /** Loaded sets that may have segments to merge. */
  readonly #unmerged = new Set<MapKey>()
  #active = new Map<MapKey, SetChange>()
  /** Oldest first. */
  readonly #sealed: Map<MapKey, SealedChange>[] = []
  /** Of settled transactions, for the next ones. */
  readonly #free: MemberChanges[] = []

  constructor(spec: SetStoreSpec<K, M, V>, options: SetStoreOptions) {
    this.name = spec.name
    this.#spec = spec
    this.#options = options
    this.#keys = new KeyCodec(spec.key)
    this.#members = new KeyCodec(spec.member)
    this.#backend = options.backend
    this.#readValue = (buffer, start, end) => spec.value.read(buffer, start, end)
  }

  has(key: K, member: M): boolean {
    const mapKey = this.#keys.mapKey(key)
    const { buffer, length } = this.#members.encodeInPlace(member)
    const hash = this.#options.hash.of(buffer, 0, length)
    const found = this.#inLayers(mapKey, hash, buffer, length)
    return found === undefined ? this.#load(mapKey).has(hash, buffer, 0, length) : found !== removed
  }

  get(key: K, member: M): V | undefined {
    const mapKey = this.#keys.mapKey(key)
    const { buffer, length } = this.#members.encodeInPlace(member)
    const hash = this.#options.hash.of(buffer, 0, length)
    const found = this.#inLayers(mapKey, hash, buffer, length)
    if (found === undefined) return this.#load(mapKey).get(hash, buffer, 0, length, this.#readValue)
    return found === removed ? undefined : this.#readValue(found.buffer, found.valueStart, found.valueEnd)
  }

  /** Cheap while the whole set is in memory; what is spilled has to be walked. */
  size(key: K): number {
    const mapKey = this.#keys.mapKey(key)
    const above = this.#changesOf(mapKey)
    const set = this.#load(mapKey)
    if (set.spilled !== undefined) {
      let size = 0
      for (const _ of this.#walk(set, above)) size++
      return size
    }
    let size = above.dropped ? 0 : set.countInMemory
    for (const { member, value } of above.entries.values()) {
      const hash = this.#options.hash.of(member, 0, member.length)
      const wasThere = !above.dropped && set.has(hash, member, 0, member.length)
      size += (value === undefined ? 0 : 1) - (wasThere ? 1 : 0)
    }
    return size
  }

  members(key: K): IterableIterator<[M, V]> {
    const mapKey = this.#keys.mapKey(key)
    return this.#options.scans.guard(this.#walk(this.#load(mapKey), this.#changesOf(mapKey)))
  }

  keys(): IterableIterator<K> {
    const found = new Map<string, Buffer>()
    for (const setKey of this.#committedKeys()) found.set(setKey.toString('latin1'), setKey)
    for (const layer of [...this.#sealed, this.#active]) {
      for (const mapKey of layer.keys()) {
        const setKey = this.#encodeKey(mapKey)
        found.set(setKey.toString('latin1'), setKey)
      }
    }
    return [...found]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([, setKey]) => this.#keys.decode(setKey))
      .filter((key) => this.#hasMembers(key))
      .values()
  }

  add(key: K, member: M, value: V): void {
    const scratch = this.#scratch
    scratch.length = 0
    this.#spec.value.write(value, scratch)
    this.#write(key, member, scratch)
  }

  remove(key: K, member: M): void {
    this.#write(key, member, undefined)
  }

  drop(key: K): void {
    const change = { dropped: true, members: this.#newMembers() }
    this.#options.journal.set(this.#active, this.#keys.mapKey(key), change)
  }

  // ---------------------------------------------------------------------------------------------- transactions

  get dirty(): boolean {
    return this.#active.size > 0
  }

  seal(nextBuilder: () => RecordBatchBuilder, timestamp: number): void {
    const sealed = new Map<MapKey, SealedChange>()
    for (const [mapKey, change] of this.#active) {
      sealed.set(mapKey, this.#sealChange(mapKey, change, nextBuilder, timestamp))
    }
    this.#sealed.push(sealed)
    this.#active = new Map()
  }

  settle(batch: StateBatch): void {
    const oldest = this.#sealed.shift()
    if (oldest === undefined) return
    for (const [mapKey, change] of oldest) {
      this.#settleChange(mapKey, change, batch)
      if (this.#free.length < freeMax && change.members.recycle()) this.#free.push(change.members)
    }
  }

  #settleChange(mapKey: MapKey, change: SealedChange, batch: StateBatch): void {
    // A set that left memory meanwhile comes back from the backend; one with a spilled part never leaves whole.
    const set = this.#loaded.get(mapKey)
    if (set === undefined) return
    if (change.dropped) {
      if (set.spilled !== undefined) this.#unmark(set.spilled, batch)
      set.clear()
    }
    if (change.merge !== undefined) set.segments = mergedSegments(set.segments, change.merge)
    for (const { segment, value } of change.added) set.applySegment(segment, value, batch, false)
    if (set.spilled !== undefined) this.#mark(set, set.spilled, batch)
    this.#options.memory.account(set)
    this.#unmerged.add(mapKey)
  }

  afterWrite(): void {
    for (const spilled of this.#garbage.splice(0)) spilled.clear()
    this.#options.memory.shrink()
  }

  /**
   * What is spilled stays good when the changelog only goes on behind it; then loading the set catches up. Anything
   * else, such as a merge or a drop, makes the spilled part garbage.
   */
  restored(changelogKey: Buffer, value: Buffer | null, batch: StateBatch): void {
    const spilled = this.#spilledSets()
    if (spilled.size === 0 || changelogKey[0] !== changelogKind.data) return
    const { setKey, number } = readSegmentKey(changelogKey)
    const found = spilled.get(setKey.toString('latin1'))
    if (found === undefined || (value !== null && number > found.covered)) return
    this.#unmark(found, batch)
  }

  discard(): void {
    this.#sealed.length = 0
    this.#active = new Map()
    for (const set of this.#loaded.values()) this.#options.memory.forget(set)
    this.#loaded.clear()
    this.#unmerged.clear()
    this.#garbage.length = 0
    this.#spilled = undefined
  }

  mergeSegments(bytesMax: number): boolean {
    // What is on its way decides which segments there are: merging waits for it.
    if (this.#sealed.length > 0) return false
    let read = 0
    for (const mapKey of this.#unmerged) {
      if (read >= bytesMax) break
      const change = this.#active.get(mapKey)
      const set = this.#loaded.get(mapKey)
      if (change?.dropped === true || change?.merge !== undefined) continue
      const run = set === undefined ? undefined : runToMerge(set.segments.map(({ size }) => size))
      if (set === undefined || run === undefined) {
        this.#unmerged.delete(mapKey)
        continue
      }
      const merge = this.#merge(mapKey, set, run.from, run.to)
      this.#active.set(mapKey, { ...(change ?? { dropped: false, members: this.#newMembers() }), merge })
      for (const { size } of set.segments.slice(run.from, run.to)) read += size
    }
    return read > 0
  }

  // --------------------------------------------------------------------------------------------------- reading

  /** The newest layer that knows the member, set to its entry; `removed` when that removed it; undefined when none does. */
  #inLayers(
    mapKey: MapKey,
    hash: number,
    bytes: Uint8Array,
    size: number,
  ): MemberChanges | typeof removed | undefined {
    for (let at = this.#sealed.length; at >= 0; at--) {
      const layer: ReadonlyMap<MapKey, SetChange> | undefined =
        at === this.#sealed.length ? this.#active : this.#sealed[at]
      const change = layer?.get(mapKey)
      if (change === undefined) continue
      const { members } = change
      if (members.find(hash, bytes, size)) return members.removed ? removed : members
      if (change.dropped) return removed
    }
    return undefined
  }

  /** All layers of one set as one; a copy. */
  #changesOf(mapKey: MapKey): AllChanges {
    let dropped = false
    const entries = new Map<string, ChangedMember>()
    for (const layer of [...this.#sealed, this.#active]) {
      const change = layer.get(mapKey)
      if (change === undefined) continue
      if (change.dropped) {
        dropped = true
        entries.clear()
      }
      const cursor = new SegmentCursor(Buffer.from(change.members.view()))
      while (cursor.next()) {
        const { buffer, memberStart, memberEnd, valueStart, valueEnd } = cursor
        const member = buffer.subarray(memberStart, memberEnd)
        const value = cursor.removed ? undefined : buffer.subarray(valueStart, valueEnd)
        entries.set(member.toString('latin1'), { member, value })
      }
    }
    return { dropped, entries }
  }

  *#walk(set: CommittedSet, above: AllChanges): Generator<[M, V]> {
    if (!above.dropped) {
      for (const [member, value] of set.entries()) {
        if (above.entries.size > 0 && above.entries.has(member.toString('latin1'))) continue
        yield [this.#members.decode(member), this.#readValue(value, 0, value.length)]
      }
    }
    for (const { member, value } of above.entries.values()) {
      if (value !== undefined) yield [this.#members.decode(member), this.#readValue(value, 0, value.length)]
    }
  }

  #hasMembers(key: K): boolean {
    const mapKey = this.#keys.mapKey(key)
    const members = this.#walk(this.#load(mapKey), this.#changesOf(mapKey))
    const found = members.next().done !== true
    members.return(undefined)
    return found
  }

  /** Encoded keys of the sets with segments, each once, in order. */
  *#committedKeys(): Generator<Buffer> {
    const { storeId } = this.#options
    const lt = Buffer.from([storeId, changelogKind.data + 1])
    for (let gte: Buffer | undefined = Buffer.from([storeId, changelogKind.data]); gte !== undefined;) {
      let last: Buffer | undefined
      let segments = 0
      let next: Buffer | undefined
      for (const [key] of this.#backend.scan({ gte, lt })) {
        const { setKey } = readSegmentKey(key.subarray(1))
        if (last?.equals(setKey) !== true) {
          last = Buffer.from(setKey)
          segments = 0
          yield last
        } else if (++segments > segmentsBeforeSeek) {
          next = prefixEnd(this.#segmentPrefix(last))
          break
        }
      }
      gte = next
    }
  }

  // --------------------------------------------------------------------------------------------------- writing

  #write(key: K, member: M, value: ByteWriter | undefined): void {
    const { members } = this.#change(key)
    const encoded = this.#members.encodeInPlace(member)
    const hash = this.#options.hash.of(encoded.buffer, 0, encoded.length)
    const bytes = encoded.length + (value?.length ?? 0) + entryOverheadBytes
    this.#options.journal.grows(members, members.byteLength, bytes)
    members.write(hash, encoded, value)
  }

  #newMembers(): MemberChanges {
    return this.#free.pop() ?? new MemberChanges(this.#options.hash)
  }

  #change(key: K): SetChange {
    const mapKey = this.#keys.mapKey(key)
    let change = this.#active.get(mapKey)
    if (change === undefined) {
      change = { dropped: false, members: this.#newMembers() }
      this.#options.journal.set(this.#active, mapKey, change)
    }
    return change
  }

  #sealChange(
    mapKey: MapKey,
    change: SetChange,
    nextBuilder: () => RecordBatchBuilder,
    timestamp: number,
  ): SealedChange {
    const setKey = this.#encodeKey(mapKey)
    const write = (number: number, value: Buffer | null): void => {
      const builder = nextBuilder()
      builder.begin(timestamp)
      writeSegmentKey(setKey, number, builder.openField())
      builder.closeField()
      builder.writeField(value)
      builder.end()
    }
    let number = this.#lastNumber(mapKey) + 1
    if (change.dropped) for (const segment of this.#segments(mapKey)) write(segment.number, null)
    if (change.merge !== undefined) {
      for (const gone of change.merge.gone) write(gone, null)
      write(change.merge.into, change.merge.value ?? null)
    }
    const added: { segment: Segment; value: Buffer }[] = []
    for (const value of segmentValues(change.members.view())) {
      write(number, value)
      added.push({ segment: { number, size: value.length }, value })
      number++
    }
    return { ...change, added }
  }

  /** The highest number of a segment of the set as the newest sealed layer leaves it; -1 when there is none. */
  #lastNumber(mapKey: MapKey): number {
    for (let at = this.#sealed.length - 1; at >= 0; at--) {
      const change = this.#sealed[at]?.get(mapKey)
      const last = change?.added.at(-1)
      if (last !== undefined) return last.segment.number
      if (change !== undefined && (change.dropped || change.merge !== undefined))
        return this.#lastOfAll(mapKey)
    }
    return this.#load(mapKey).segments.at(-1)?.number ?? -1
  }

  #lastOfAll(mapKey: MapKey): number {
    return this.#segments(mapKey).at(-1)?.number ?? -1
  }

  /** The set's segments as the newest sealed layer leaves them, ascending. */
  #segments(mapKey: MapKey): readonly Segment[] {
    let segments: readonly Segment[] = this.#load(mapKey).segments
    for (const layer of this.#sealed) {
      const change = layer.get(mapKey)
      if (change === undefined) continue
      if (change.dropped) segments = []
      if (change.merge !== undefined) segments = mergedSegments(segments, change.merge)
      if (change.added.length > 0) segments = [...segments, ...change.added.map(({ segment }) => segment)]
    }
    return segments
  }

  #merge(mapKey: MapKey, set: CommittedSet, from: number, to: number): Merge {
    const run = set.segments.slice(from, to)
    const prefix = this.#segmentPrefix(this.#encodeKey(mapKey))
    const keys = run.map(({ number }) => {
      const key = new ByteWriter(prefix.length + 8)
      key.bytes(prefix)
      key.i64(number)
      return key.toBuffer()
    })
    const values = this.#backend.getMany(keys).map((value) => {
      invariant(value !== undefined, `the segments of a set in ${this.name} are in the database`)
      return value
    })
    const numbers = run.map(({ number }) => number)
    return {
      gone: numbers.slice(0, -1),
      into: numbers.at(-1) as number,
      value: mergeSegments(values, from === 0),
    }
  }

  // --------------------------------------------------------------------------------------------------- loading

  #load(mapKey: MapKey): CommittedSet {
    const loaded = this.#loaded.get(mapKey)
    if (loaded !== undefined) {
      loaded.used = true
      return loaded
    }
    const setKey = this.#encodeKey(mapKey)
    const { hash, memory, shardFromBytes, storeId } = this.#options
    const set = new CommittedSet({
      hash,
      shardFromBytes,
      spilled: this.#spec.persistent
        ? (this.#spilledSets().get(setKey.toString('latin1')) ??
          new SpilledMembers(this.#backend, storeId, setKey))
        : undefined,
      evicted: () => {
        this.#loaded.delete(mapKey)
        this.#unmerged.delete(mapKey)
        memory.forget(set)
      },
      shardSpilled: (spilled) => {
        this.#spilledSets().set(setKey.toString('latin1'), spilled)
        // While it is loaded the shards are not complete; marking them is the last step.
        if (this.#loading !== set) this.#backend.write((batch) => this.#mark(set, spilled, batch))
      },
    })
    this.#loading = set
    try {
      this.#loadSegments(set, this.#segmentPrefix(setKey))
    } catch (error) {
      memory.forget(set)
      // It stays unmarked: whoever loads the set again starts over.
      this.#spilled = undefined
      throw error instanceof RangeError
        ? stateUnusable(this.#options.directory, `a segment of store ${this.name} is damaged`)
        : error
    } finally {
      this.#loading = undefined
    }
    this.#loaded.set(mapKey, set)
    this.#unmerged.add(mapKey)
    return set
  }

  #loadSegments(set: CommittedSet, prefix: Buffer): void {
    const { memory } = this.#options
    memory.account(set)
    for (const [key, value] of this.#backend.scan({ gte: prefix, lt: prefixEnd(prefix) ?? prefix })) {
      const segment = { number: readSegmentKey(key.subarray(1)).number, size: value.length }
      const apply = (batch: StateBatch): void => set.applySegment(segment, value, batch, true)
      if (set.spilled === undefined) apply(noBatch)
      else this.#backend.write(apply)
      memory.account(set)
      memory.shrink(set)
    }
    const { spilled } = set
    if (spilled !== undefined) this.#backend.write((batch) => this.#mark(set, spilled, batch))
    memory.account(set)
    memory.shrink(set)
  }

  #mark(set: CommittedSet, spilled: SpilledMembers, batch: StateBatch): void {
    spilled.covered = Math.max(spilled.covered, set.segments.at(-1)?.number ?? -1)
    spilled.mark(batch)
  }

  #unmark(spilled: SpilledMembers, batch: StateBatch): void {
    for (const [setKey, candidate] of this.#spilledSets())
      if (candidate === spilled) this.#spilledSets().delete(setKey)
    spilled.unmark(batch)
    this.#garbage.push(spilled)
  }

  #spilledSets(): Map<string, SpilledMembers> {
    this.#spilled ??= new Map(
      SpilledMembers.marked(this.#backend, this.#options.storeId).map(({ setKey, members }) => [
        setKey.toString('latin1'),
        members,
      ]),
    )
    return this.#spilled
  }

  #segmentPrefix(setKey: Uint8Array): Buffer {
    const prefix = new ByteWriter(setKey.length + 16)
    prefix.u8(this.#options.storeId)
    writeSegmentPrefix(setKey, prefix)
    return prefix.toBuffer()
  }

  #encodeKey(mapKey: MapKey): Buffer {
    const out = new ByteWriter(64)
    this.#keys.write(mapKey, out)
    return out.toBuffer()
  }
}

/** Cuts entries into values of segments, views: each is closed by the entry that reaches half of what one may hold. */
function segmentValues(entries: Buffer): Buffer[] {
  if (entries.length === 0) return []
  if (entries.length <= segmentBytesMax / 2) return [entries]
  const values: Buffer[] = []
  const cursor = new SegmentCursor(entries)
  let start = 0
  while (cursor.next()) {
    if (cursor.valueEnd - start < segmentBytesMax / 2 && cursor.valueEnd < entries.length) continue
    values.push(entries.subarray(start, cursor.valueEnd))
    start = cursor.valueEnd
  }
  return values
}

/** For sets without a spilled part, which have nothing to write beside their segments. */
const noBatch: StateBatch = {
  put: () => invariant(false, 'a set in memory writes no members'),
  delete: () => invariant(false, 'a set in memory writes no members'),
}

function mergedSegments(segments: readonly Segment[], merge: Merge): Segment[] {
  const gone = new Set(merge.gone)
  const { into, value } = merge
  const merged: Segment[] = []
  for (const segment of segments) {
    if (gone.has(segment.number)) continue
    if (segment.number !== into) merged.push(segment)
    else if (value !== undefined) merged.push({ number: into, size: value.length })
  }
  return merged
}
