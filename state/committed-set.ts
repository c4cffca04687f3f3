/**
 * One set as committed: the fold of its segments, in memory as far as memory goes.
 *
 * A small set is one table and leaves memory whole, to be folded again when it is needed. A large one is cut into
 * shards by hash; when memory is short they go to the database one by one (see spilled-members.ts) and stay there
 * until the set is dropped. So a set that is somewhat beyond the budget is somewhat slower, and no look-up and no
 * commit ever waits for more than a shard to move.
 */
import type { StateBatch } from './backend.ts'
import type { MemberHash } from './member-hash.ts'
import { MemberTable } from './member-table.ts'
import { SegmentCursor } from './set-segment.ts'
import type { MemoryHolder } from './set-memory.ts'
import { shardCount } from './spilled-members.ts'
import type { SpilledMembers } from './spilled-members.ts'

export interface Segment {
  readonly number: number
  /** Of its value, bytes. */
  readonly size: number
}

export interface CommittedSetOptions {
  readonly hash: MemberHash
  /** A set whose table takes more is cut into shards. */
  readonly shardFromBytes: number
  /** Takes shards that leave memory; undefined when there is nowhere to take them. */
  readonly spilled: SpilledMembers | undefined
  /** Told when the set left memory whole. */
  readonly evicted: () => void
  /** Told when a shard was spilled: the mark has to be written. */
  readonly shardSpilled: (spilled: SpilledMembers) => void
}

const ownBytes = 500
const bytesPerSegment = 48

export class CommittedSet implements MemoryHolder {
  readonly #options: CommittedSetOptions
  /** One for all members, or one a shard; undefined where the shard is spilled. */
  #tables: (MemberTable | undefined)[]
  #tableBytes = 0
  /** Where `applySegment` stops treating spilled shards as up to date. */
  readonly #coveredBefore: number
  readonly #spilledBefore: ReadonlySet<number>
  /** Ascending by number. */
  segments: Segment[] = []
  used = true

  constructor(options: CommittedSetOptions) {
    this.#options = options
    const { spilled } = options
    this.#coveredBefore = spilled?.covered ?? -1
    const before = new Set<number>()
    if (spilled !== undefined && spilled.count > 0) {
      for (let shard = 0; shard < shardCount; shard++) if (spilled.has(shard)) before.add(shard)
    }
    this.#spilledBefore = before
    this.#tables =
      before.size === 0
        ? [new MemberTable()]
        : Array.from({ length: shardCount }, (_, shard) =>
            before.has(shard) ? undefined : new MemberTable(),
          )
    this.#tableBytes = this.#sumTables()
  }

  get byteLength(): number {
    return ownBytes + this.#tableBytes + this.segments.length * bytesPerSegment
  }

  /** The part that is in the database; undefined when there is none. */
  get spilled(): SpilledMembers | undefined {
    const { spilled } = this.#options
    return spilled !== undefined && spilled.count > 0 ? spilled : undefined
  }

  has(hash: number, bytes: Uint8Array, start: number, end: number): boolean {
    const table = this.#tableOf(hash)
    if (table !== undefined) return table.find(hash, bytes, start, end)
    return this.spilled?.get(hash >>> 24, bytes, start, end) !== undefined
  }

  /** The value of a member, whose hash is given, as `read` makes it of the encoded bytes; undefined when it is no member. */
  get<V>(
    hash: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    read: (buffer: Buffer, start: number, end: number) => V,
  ): V | undefined {
    const table = this.#tableOf(hash)
    if (table !== undefined) {
      return table.find(hash, bytes, start, end)
        ? read(table.buffer, table.valueStart, table.valueEnd)
        : undefined
    }
    const value = this.spilled?.get(hash >>> 24, bytes, start, end)
    return value === undefined ? undefined : read(value, 0, value.length)
  }

  /** Number of members in memory. */
  get countInMemory(): number {
    return this.#tables.reduce((sum, table) => sum + (table?.count ?? 0), 0)
  }

  /** Encoded members and values, views; as of the first step. */
  *entries(): Generator<readonly [member: Buffer, value: Buffer]> {
    // A shard that is spilled meanwhile stays whole in this list, and must not come a second time from there.
    const tables = [...this.#tables]
    const fromDisk = tables.includes(undefined) ? this.spilled : undefined
    const inMemory = new Set(tables.keys())
    for (const [shard, table] of tables.entries()) {
      if (table === undefined) {
        inMemory.delete(shard)
        continue
      }
      for (const _ of table.walk()) {
        const { buffer, memberStart, memberEnd, valueStart, valueEnd } = table
        yield [buffer.subarray(memberStart, memberEnd), buffer.subarray(valueStart, valueEnd)]
      }
    }
    if (fromDisk === undefined) return
    for (const [member, value, shard] of fromDisk.entries()) if (!inMemory.has(shard)) yield [member, value]
  }

  /** Empties the set; the caller takes care of what is spilled. */
  clear(): void {
    this.#tables = [new MemberTable()]
    this.#tableBytes = this.#sumTables()
    this.segments = []
  }

  /**
   * Applies a segment that follows all applied before. Entries of spilled shards go into `batch`.
   * @param loading true: shards that were spilled before loading began have segments up to `covered` already
   */
  applySegment(segment: Segment, value: Buffer, batch: StateBatch, loading: boolean): void {
    const { hash: hashes, spilled } = this.#options
    const cursor = new SegmentCursor(value)
    const known = loading && segment.number <= this.#coveredBefore
    while (cursor.next()) {
      const { memberStart, memberEnd } = cursor
      const hash = hashes.of(value, memberStart, memberEnd)
      const shard = hash >>> 24
      const table = this.#tableOf(hash)
      if (table !== undefined) {
        const before = table.byteLength
        if (cursor.removed) table.delete(hash, value, memberStart, memberEnd)
        else table.set(hash, cursor)
        this.#tableBytes += table.byteLength - before
      } else if (!(known && this.#spilledBefore.has(shard))) {
        if (cursor.removed) spilled?.delete(batch, shard, value, memberStart, memberEnd)
        else
          spilled?.put(
            batch,
            shard,
            value,
            memberStart,
            memberEnd,
            value.subarray(cursor.valueStart, cursor.valueEnd),
          )
      }
    }
    this.segments.push(segment)
    if (this.#tables.length === 1 && this.#tableBytes > this.#options.shardFromBytes) this.#cutIntoShards()
  }

  release(inUse: boolean): boolean {
    const { spilled } = this.#options
    if (this.#tables.length === 1 || spilled === undefined) {
      if (!inUse) this.#options.evicted()
      return !inUse
    }
    const shard = this.#tables.findIndex((table) => table !== undefined)
    const table = this.#tables[shard]
    if (table === undefined) return false
    spilled.spill(shard, table)
    this.#tables[shard] = undefined
    this.#tableBytes -= table.byteLength
    this.#options.shardSpilled(spilled)
    return true
  }

  #tableOf(hash: number): MemberTable | undefined {
    return this.#tables.length === 1 ? this.#tables[0] : this.#tables[hash >>> 24]
  }

  #cutIntoShards(): void {
    const whole = this.#tables[0] as MemberTable
    const shards = Array.from({ length: shardCount }, () => new MemberTable())
    whole.forEach((hash) => (shards[hash >>> 24] as MemberTable).set(hash, whole))
    this.#tables = shards
    this.#tableBytes = this.#sumTables()
  }

  #sumTables(): number {
    return this.#tables.reduce((sum, table) => sum + (table?.byteLength ?? 0), 0)
  }
}
