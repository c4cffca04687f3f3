/** One partition as a Kafka broker keeps it: undecided data, markers and gaps included. */
import { writeI64 } from '#core'
import { RecordCursor, batchAttribute, batchField, filterBatch, logError } from '../index.ts'
import type { TopicDescription } from '../index.ts'
import type { Durability } from './durability.ts'

interface StoredBatch {
  readonly baseOffset: number
  /** Exclusive. */
  readonly endOffset: number
  /** Undefined for a marker. */
  readonly bytes: Buffer | undefined
  /** The transaction that wrote it. */
  readonly transaction: string | undefined
  /** Undefined while undecided; plain batches count as committed. */
  committed: boolean | undefined
}

export interface PartitionRead {
  readonly batches: readonly Buffer[]
  readonly nextOffset: number
}

export class SimulatedPartition {
  readonly topic: TopicDescription
  readonly partition: number
  /** First readable offset, inclusive. */
  start = 0
  /** Exclusive end of what is fsynced. */
  highWatermark = 0
  /** Exclusive end of what compaction has looked at. */
  compactedTo = 0
  #end = 0
  #lastAppendTime = 0
  #batches: StoredBatch[] = []
  /** Everything ever appended, without compaction: what checkers compare with. */
  readonly #archive: StoredBatch[] = []
  /** Batches of transactions without a fsynced marker. */
  readonly #open = new Map<string, StoredBatch[]>()
  /** Appends that were made, by the writer's request: a request that arrives again changes nothing. */
  readonly #requests = new Map<string, number>()
  /** Up to where tombstones were compacted first, and when. */
  #cleanings: { readonly upTo: number; readonly at: number }[] = []
  readonly #durability: Durability

  constructor(topic: TopicDescription, partition: number, durability: Durability) {
    this.topic = topic
    this.partition = partition
    this.#durability = durability
  }

  /** First offset of the oldest transaction without a durable decision, or the high watermark. */
  get lastStableOffset(): number {
    let stable = this.highWatermark
    for (const [first] of this.#open.values())
      if (first !== undefined) stable = Math.min(stable, first.baseOffset)
    return stable
  }

  /** Appends batches in order, once for each request; answers the base offset of the first. */
  append(batches: readonly Buffer[], request: string, now: number, transaction?: string): number {
    const known = this.#requests.get(request)
    if (known !== undefined) return known
    for (const batch of batches) {
      const { maxMessageBytes } = this.topic.settings
      if (batch.length <= maxMessageBytes) continue
      throw logError(
        'LOG_RECORD_TOO_LARGE',
        `A batch of ${batch.length} bytes is larger than ${this.topic.name} takes (${maxMessageBytes} bytes).`,
      )
    }
    const base = this.#end
    this.#requests.set(request, base)
    for (const batch of batches) this.#add(this.#stamped(batch, now), transaction)
    const opened = transaction !== undefined && !this.#open.has(transaction)
    if (transaction !== undefined) {
      const open = this.#open.get(transaction) ?? []
      open.push(...this.#batches.slice(this.#batches.length - batches.length))
      this.#open.set(transaction, open)
    }
    const end = this.#end
    this.#durability.note(
      () => {
        this.#requests.delete(request)
        this.#cut(batches.length, base)
        if (transaction === undefined) return
        if (opened) this.#open.delete(transaction)
        else this.#open.get(transaction)?.splice(-batches.length)
      },
      () => void (this.highWatermark = end),
    )
    return base
  }

  isOpen(transaction: string): boolean {
    return this.#open.has(transaction)
  }

  /** Appends the marker that decides a transaction. */
  decide(transaction: string, commit: boolean): void {
    const open = this.#open.get(transaction)
    if (open === undefined || open[0]?.committed !== undefined) return
    const base = this.#end
    this.#add(undefined, transaction)
    for (const batch of open) batch.committed = commit
    const end = this.#end
    this.#durability.note(
      () => {
        this.#cut(1, base)
        for (const batch of open) batch.committed = undefined
      },
      () => {
        this.highWatermark = end
        this.#open.delete(transaction)
      },
    )
  }

  /** Committed data from an offset on, up to about `bytesMax` (at least one batch). Errors: LOG_OFFSET_OUT_OF_RANGE. */
  read(from: number, bytesMax: number): PartitionRead {
    if (from < this.start || from > this.highWatermark) throw this.#outOfRange(from)
    const stable = this.lastStableOffset
    const batches: Buffer[] = []
    let bytes = 0
    for (let at = this.#indexOf(from); at < this.#batches.length; at++) {
      const batch = this.#batches[at] as StoredBatch
      if (batch.baseOffset >= stable) break
      if (batch.bytes === undefined || batch.committed !== true) continue
      if (bytes > 0 && bytes + batch.bytes.length > bytesMax) return { batches, nextOffset: batch.baseOffset }
      batches.push(batch.bytes)
      bytes += batch.bytes.length
    }
    return { batches, nextOffset: Math.max(stable, from) }
  }

  /** Errors: LOG_OFFSET_OUT_OF_RANGE. */
  deleteRecords(before: number): void {
    if (before > this.highWatermark) {
      throw logError(
        'LOG_OFFSET_OUT_OF_RANGE',
        `Records below ${before} cannot be deleted: the log ends at ${this.highWatermark}.`,
      )
    }
    const start = Math.max(this.start, before)
    const former = this.start
    this.start = start
    this.#durability.note(() => void (this.start = former))
  }

  /** Compacts everything below the last stable offset but the last batch; returns how many records went. */
  compact(now: number): number {
    const last = this.#batches.at(-1)
    const limit = Math.min(this.lastStableOffset, last?.baseOffset ?? 0)
    const tombstoneLimit = Math.max(
      0,
      ...this.#cleanings
        .filter(({ at }) => at <= now - this.topic.settings.deleteRetentionMs)
        .map(({ upTo }) => upTo),
    )
    const latest = new Map<string, number>()
    const below = this.#batches.filter(({ endOffset }) => endOffset <= limit)
    for (const { bytes, committed } of below) {
      if (bytes === undefined || committed !== true) continue
      for (const cursor = new RecordCursor([bytes]); cursor.next();) {
        const key = cursor.key()
        if (key !== null) latest.set(key.toString('latin1'), cursor.offset)
      }
    }
    let removed = 0
    const kept: StoredBatch[] = []
    for (const batch of below) {
      if (batch.bytes === undefined || batch.committed !== true) continue
      const bytes = filterBatch(batch.bytes, (cursor) => {
        const key = cursor.key()
        if (key === null) return true
        const expired = cursor.value() === null && cursor.offset < tombstoneLimit
        const stays = latest.get(key.toString('latin1')) === cursor.offset && !expired
        if (!stays) removed++
        return stays
      })
      if (bytes !== undefined) kept.push({ ...batch, bytes })
    }
    this.#batches = [...kept, ...this.#batches.slice(below.length)]
    this.compactedTo = Math.max(this.compactedTo, limit)
    this.#cleanings.push({ upTo: limit, at: now })
    return removed
  }

  /** Every committed and durable batch since the beginning, as if nothing had been compacted or deleted. */
  committedBatches(): Buffer[] {
    return this.#archive.flatMap(({ bytes, committed, endOffset }) =>
      bytes !== undefined && committed === true && endOffset <= this.lastStableOffset ? [bytes] : [],
    )
  }

  #add(bytes: Buffer | undefined, transaction: string | undefined): void {
    const baseOffset = this.#end
    const count = bytes === undefined ? 1 : bytes.readInt32BE(batchField.lastOffsetDelta) + 1
    if (bytes !== undefined) writeI64(bytes, batchField.baseOffset, baseOffset)
    const committed = transaction === undefined || bytes === undefined ? true : undefined
    const batch = { baseOffset, endOffset: baseOffset + count, bytes, transaction, committed }
    this.#batches.push(batch)
    this.#archive.push(batch)
    this.#end += count
  }

  #cut(batches: number, end: number): void {
    this.#batches.splice(-batches)
    this.#archive.splice(-batches)
    this.#end = end
  }

  /** A copy of the batch with the log's time where the topic wants it; that time never goes back. */
  #stamped(batch: Buffer, now: number): Buffer {
    const copy = Buffer.from(batch)
    if (this.topic.settings.timestamps === 'log-append') {
      this.#lastAppendTime = Math.max(this.#lastAppendTime, now)
      copy.writeInt16BE(
        copy.readInt16BE(batchField.attributes) | batchAttribute.logAppendTime,
        batchField.attributes,
      )
      writeI64(copy, batchField.maxTimestamp, this.#lastAppendTime)
    }
    return copy
  }

  /** Index of the first batch that ends after `offset`. */
  #indexOf(offset: number): number {
    let low = 0
    let high = this.#batches.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#batches[middle] as StoredBatch).endOffset <= offset) low = middle + 1
      else high = middle
    }
    return low
  }

  #outOfRange(offset: number): Error {
    const { topic, partition, start, highWatermark: end } = this
    return logError(
      'LOG_OFFSET_OUT_OF_RANGE',
      `${topic.name}-${partition} holds offsets ${start} to ${end}, not ${offset}. Seek to one that it holds.`,
      { context: { topic: topic.name, partition, offset, start, end } },
    )
  }
}
