/**
 * Batches of `coupon-result` on disk as they were fetched, found by a command's offset. Nothing is parsed when a batch
 * comes; the first question about it makes an index of its records, kept while the batch is in memory.
 */
import type { RocksDatabase } from '#core'
import { RecordCursor } from '#log'
import { peekResult } from '#domain/coupon'
import { batchKey, placeOf } from './view-keys.ts'

/** Where one result stands. */
export interface RecordPlace {
  readonly buffer: Buffer
  readonly start: number
  readonly end: number
}

const recentBytesMax = 16 << 20
const recentBatchesMax = 4096
const loadedBatchesMax = 8

class IndexedBatch {
  readonly partition: number
  /** Offset of the first command decided in it. */
  readonly first: number
  readonly batch: Buffer
  #offsets: number[] | undefined
  readonly #starts: number[] = []
  readonly #ends: number[] = []

  constructor(partition: number, first: number, batch: Buffer) {
    this.partition = partition
    this.first = first
    this.batch = batch
  }

  find(offset: number): RecordPlace | undefined {
    const offsets = (this.#offsets ??= this.#index())
    const index = lastNotAbove(offsets.length, (at) => offsets[at] as number, offset)
    if (index < 0 || offsets[index] !== offset) return undefined
    return { buffer: this.batch, start: this.#starts[index] as number, end: this.#ends[index] as number }
  }

  #index(): number[] {
    const offsets: number[] = []
    const cursor = new RecordCursor([this.batch])
    while (cursor.next()) {
      const offset = offsetOf(cursor)
      if (offset === undefined) continue
      offsets.push(offset)
      this.#starts.push(cursor.valueStart)
      this.#ends.push(cursor.valueEnd)
    }
    return offsets
  }
}

/** Undefined for a record that cannot be read. */
function offsetOf(cursor: RecordCursor): number | undefined {
  try {
    const { offset } = peekResult(cursor.buffer, cursor.valueStart, cursor.valueEnd)
    return Number.isSafeInteger(offset) ? offset : undefined
  } catch {
    return undefined
  }
}

/** Index of the last of `count` ascending values that is <= `value`; -1 when there is none. */
function lastNotAbove(count: number, valueAt: (index: number) => number, value: number): number {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (valueAt(middle) <= value) low = middle + 1
    else high = middle
  }
  return low - 1
}

export class ResultBatches {
  readonly #db: RocksDatabase
  /** The newest batches, oldest first: most questions are about claims just made. */
  readonly #recent: IndexedBatch[] = []
  /** The same by partition, in the order of commands. */
  readonly #recentByPartition = new Map<number, IndexedBatch[]>()
  #recentBytes = 0
  /** Older ones read from disk; the least recently used goes first. */
  readonly #loaded = new Map<string, IndexedBatch>()

  constructor(db: RocksDatabase) {
    this.#db = db
  }

  /** Remembers a batch that was just written. */
  add(partition: number, first: number, batch: Buffer): void {
    const indexed = new IndexedBatch(partition, first, batch)
    this.#recent.push(indexed)
    const siblings = this.#recentByPartition.get(partition)
    if (siblings === undefined) this.#recentByPartition.set(partition, [indexed])
    else siblings.push(indexed)
    this.#recentBytes += batch.length
    while (
      this.#recent.length > recentBatchesMax ||
      (this.#recentBytes > recentBytesMax && this.#recent.length > 1)
    ) {
      const oldest = this.#recent.shift() as IndexedBatch
      this.#recentByPartition.get(oldest.partition)?.shift()
      this.#recentBytes -= oldest.batch.length
    }
  }

  find(partition: number, offset: number): RecordPlace | undefined {
    return (this.#recentWith(partition, offset) ?? this.#load(partition, offset))?.find(offset)
  }

  #recentWith(partition: number, offset: number): IndexedBatch | undefined {
    const siblings = this.#recentByPartition.get(partition)
    if (siblings === undefined) return undefined
    return siblings[lastNotAbove(siblings.length, (at) => (siblings[at] as IndexedBatch).first, offset)]
  }

  #load(partition: number, offset: number): IndexedBatch | undefined {
    const cursor = this.#db.scan({
      gte: batchKey(partition, 0),
      lte: batchKey(partition, offset),
      reverse: true,
      limit: 1,
    })
    const found = cursor.next(1)[0]
    cursor.close()
    if (found === undefined) return undefined
    const [key, batch] = found
    const id = key.toString('latin1')
    const indexed = this.#loaded.get(id) ?? new IndexedBatch(partition, placeOf(key), batch)
    this.#loaded.delete(id)
    this.#loaded.set(id, indexed)
    if (this.#loaded.size > loadedBatchesMax) {
      const [eldest] = this.#loaded.keys()
      this.#loaded.delete(eldest as string)
    }
    return indexed
  }
}
