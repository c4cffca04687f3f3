/**
 * The part of a set that does not fit into memory: one database entry a member, for whole shards of the set.
 *
 * These entries are local and no part of the changelog: they say again what the segments say. A mark, written in the
 * same batch as the segments it covers, tells which shards are complete and up to which segment; without a mark what
 * lies there is garbage.
 * Cost: about 2 µs to write a member once, about 2 to 3 µs for a look-up (bloom filters answer most misses).
 */
import { ByteWriter, prefixEnd, readI64, writeI64 } from '#core'
import type { StateBackend, StateBatch, StateRange } from './backend.ts'
import { localKind } from './changelog.ts'
import type { MemberTable } from './member-table.ts'

/** A shard is the first byte of a member's hash. */
export const shardCount = 256

const batchBytesMax = 1 << 20
const bitmapBytes = shardCount / 8

export class SpilledMembers {
  readonly #backend: StateBackend
  readonly #markKey: Buffer
  readonly #prefix: Buffer
  readonly #key = new ByteWriter(256)
  readonly #bitmap = Buffer.alloc(bitmapBytes)
  /** The highest segment number that the shards reflect; -1 for none. */
  covered = -1
  /** Spilled shards. */
  count = 0

  constructor(backend: StateBackend, storeId: number, setKey: Uint8Array) {
    this.#backend = backend
    this.#markKey = Buffer.concat([Buffer.from([storeId, localKind.spilled]), setKey])
    const prefix = new ByteWriter(64)
    prefix.u8(storeId)
    prefix.u8(localKind.member)
    prefix.uvarint(setKey.length)
    prefix.bytes(setKey)
    this.#prefix = prefix.toBuffer()
  }

  /** All marks of a store: the encoded set key and its spilled part. */
  static marked(backend: StateBackend, storeId: number): { setKey: Buffer; members: SpilledMembers }[] {
    const range = {
      gte: Buffer.from([storeId, localKind.spilled]),
      lt: Buffer.from([storeId, localKind.spilled + 1]),
    }
    return [...backend.scan(range)].map(([key, mark]) => {
      const setKey = Buffer.from(key.subarray(2))
      const members = new SpilledMembers(backend, storeId, setKey)
      members.covered = readI64(mark, 0)
      mark.copy(members.#bitmap, 0, 8)
      for (let shard = 0; shard < shardCount; shard++) if (members.has(shard)) members.count++
      return { setKey, members }
    })
  }

  has(shard: number): boolean {
    return (((this.#bitmap[shard >>> 3] as number) >>> (shard & 7)) & 1) === 1
  }

  /** The value of a member, encoded. */
  get(shard: number, bytes: Uint8Array, start: number, end: number): Buffer | undefined {
    return this.#backend.getMany([this.#memberKey(shard, bytes, start, end)])[0]
  }

  /** Takes a shard over from memory, whole. `mark` has to follow before a crash may find it. */
  spill(shard: number, table: MemberTable): void {
    this.#backend.deleteRange(this.#range(shard))
    const walk = table.walk()
    for (let step = walk.next(); !step.done;) {
      this.#backend.write((batch) => {
        for (let bytes = 0; !step.done && bytes < batchBytesMax; step = walk.next()) {
          const { buffer, memberStart, memberEnd, valueStart, valueEnd } = table
          batch.put(
            this.#memberKey(shard, buffer, memberStart, memberEnd),
            buffer.subarray(valueStart, valueEnd),
          )
          bytes += valueEnd - memberStart
        }
      })
    }
    this.#bitmap[shard >>> 3] = (this.#bitmap[shard >>> 3] as number) | (1 << (shard & 7))
    this.count++
  }

  put(batch: StateBatch, shard: number, bytes: Buffer, start: number, end: number, value: Uint8Array): void {
    batch.put(this.#memberKey(shard, bytes, start, end), value)
  }

  delete(batch: StateBatch, shard: number, bytes: Buffer, start: number, end: number): void {
    batch.delete(this.#memberKey(shard, bytes, start, end))
  }

  mark(batch: StateBatch): void {
    const mark = Buffer.alloc(8 + bitmapBytes)
    writeI64(mark, 0, this.covered)
    this.#bitmap.copy(mark, 8)
    batch.put(this.#markKey, mark)
  }

  /** Makes everything here garbage and starts anew; `clear` deletes it once the batch is written. */
  unmark(batch: StateBatch): void {
    batch.delete(this.#markKey)
    this.#bitmap.fill(0)
    this.count = 0
    this.covered = -1
  }

  clear(): void {
    this.#backend.deleteRange(this.#range())
  }

  /** Members and values of all spilled shards, encoded. */
  *entries(): Generator<readonly [member: Buffer, value: Buffer, shard: number]> {
    const at = this.#prefix.length
    for (const [key, value] of this.#backend.scan(this.#range())) {
      const shard = key[at] as number
      if (this.has(shard)) yield [key.subarray(at + 1), value, shard]
    }
  }

  #range(shard?: number): StateRange {
    const gte = shard === undefined ? this.#prefix : Buffer.concat([this.#prefix, Buffer.from([shard])])
    return { gte, lt: prefixEnd(gte) ?? gte }
  }

  /** A view, valid until the next call. */
  #memberKey(shard: number, bytes: Uint8Array, start: number, end: number): Buffer {
    const key = this.#key
    key.length = 0
    key.bytes(this.#prefix)
    key.u8(shard)
    key.bytes(bytes, start, end)
    return key.view()
  }
}
