import { ByteReader, ByteWriter, writeI64 } from '#core'
import type { RocksBatch, RocksDatabase } from '#core'
import { baseOffsetOf, batchAttribute, batchField, endOffsetOf } from '../index.ts'
import type { TopicDescription } from '../index.ts'
import { batchKey, partitionKey, setBatchOffset } from './keys.ts'
import { PartitionTail } from './tail-cache.ts'

/** When records below `upTo` were compacted: tombstones may go `deleteRetentionMs` after that. */
export interface Cleaning {
  readonly upTo: number
  readonly at: number
}

const stateVersion = 1

/** One partition: where its batches lie and what is durable of them. */
export class PartitionLog {
  readonly topic: TopicDescription
  readonly partition: number
  /** First readable offset, durable. */
  start = 0
  /** What `start` becomes with the write group in progress. */
  #startNext = 0
  /** End of what was put into a write group; readers go by `highWatermark`. */
  end = 0
  /** End of what is durable. */
  highWatermark = 0
  /** The latest time stamped on a `log-append` topic; stamps never go back, also after a restart. */
  lastAppendTime = 0
  /** Everything below was compacted. */
  compactedTo = 0
  /** Bytes of batches below `compactedTo`, and from there on. */
  cleanBytes = 0
  dirtyBytes = 0
  cleanings: readonly Cleaning[] = []
  deleted = false
  readonly tail: PartitionTail
  /** Batches of the write group in progress; they become visible with it. */
  #unpublished: Buffer[] = []
  readonly #stateKey: Buffer
  readonly #batchKey: Buffer

  constructor(topic: TopicDescription, partition: number, state: Buffer | undefined) {
    this.topic = topic
    this.partition = partition
    this.#stateKey = partitionKey(topic.topicId, partition)
    this.#batchKey = batchKey(topic.topicId, partition, 0)
    if (state !== undefined) this.#decode(state)
    this.highWatermark = this.end
    this.tail = new PartitionTail(this.end)
  }

  static stateKeys(topic: TopicDescription): Buffer[] {
    return Array.from({ length: topic.partitions }, (_, index) => partitionKey(topic.topicId, index))
  }

  /** Stamps a batch and puts it at the end of the partition. The batch's memory belongs to the partition now. */
  append(group: RocksBatch, batch: Buffer, now: number): number {
    const base = this.end
    writeI64(batch, batchField.baseOffset, base)
    if (this.topic.settings.timestamps === 'log-append') {
      if (now > this.lastAppendTime) this.lastAppendTime = now
      const attributes = batch.readInt16BE(batchField.attributes) | batchAttribute.logAppendTime
      batch.writeInt16BE(attributes, batchField.attributes)
      writeI64(batch, batchField.maxTimestamp, this.lastAppendTime)
    }
    group.put(setBatchOffset(this.#batchKey, base), batch)
    this.end = endOffsetOf(batch)
    this.dirtyBytes += batch.length
    this.#unpublished.push(batch)
    return base
  }

  /** Moves the start forward, never back; put the partition's state into the same write group. */
  trim(offset: number): void {
    this.#startNext = Math.max(this.#startNext, offset)
    this.compactedTo = Math.max(this.compactedTo, offset)
  }

  /** Replaces or deletes a stored batch. */
  rewrite(group: RocksBatch, baseOffset: number, batch: Buffer | undefined): void {
    const key = setBatchOffset(this.#batchKey, baseOffset)
    if (batch === undefined) group.delete(key)
    else group.put(key, batch)
  }

  putState(group: RocksBatch): void {
    group.put(this.#stateKey, this.#encode())
  }

  deleteState(group: RocksBatch): void {
    group.delete(this.#stateKey)
  }

  /** The write group is durable: hands its batches over. */
  publish(): Buffer[] {
    this.start = this.#startNext
    this.highWatermark = this.end
    const batches = this.#unpublished
    this.#unpublished = []
    return batches
  }

  /**
   * Stored batches in offset order, from the one that holds `offset` on (the next one when it was compacted away),
   * below `limit`: at least one if there is any, then up to about `bytesMax`.
   */
  readStored(database: RocksDatabase, offset: number, limit: number, bytesMax: number): Buffer[] {
    const cursor = database.scan({
      gte: this.#keyAt(offset),
      lt: this.#keyAt(limit),
      highWaterMarkBytes: bytesMax,
    })
    try {
      let entries = cursor.next(1024)
      const first = entries[0]?.[1]
      const found: Buffer[] = []
      // A position after a seek may lie inside of a batch; one that a read left behind does not.
      if (first === undefined || baseOffsetOf(first) > offset) {
        const holding = this.#batchHolding(database, offset)
        if (holding !== undefined) found.push(holding)
      }
      let bytes = found[0]?.length ?? 0
      while (entries.length > 0) {
        for (const [, batch] of entries) {
          bytes += batch.length
          if (found.length > 0 && bytes > bytesMax) return found
          found.push(batch)
        }
        entries = cursor.next(1024)
      }
      return found
    } finally {
      cursor.close()
    }
  }

  /** The key range of all batches below `limit`. */
  range(limit = Number.MAX_SAFE_INTEGER): { gte: Buffer; lt: Buffer } {
    return { gte: this.#keyAt(0), lt: this.#keyAt(limit) }
  }

  /** The stored batch that begins before `offset` and reaches past it. */
  #batchHolding(database: RocksDatabase, offset: number): Buffer | undefined {
    const cursor = database.scan({
      gte: this.#keyAt(0),
      lt: this.#keyAt(offset),
      reverse: true,
      limit: 1,
    })
    try {
      const batch = cursor.next(1)[0]?.[1]
      return batch !== undefined && endOffsetOf(batch) > offset ? batch : undefined
    } finally {
      cursor.close()
    }
  }

  #keyAt(offset: number): Buffer {
    return batchKey(this.topic.topicId, this.partition, offset)
  }

  #encode(): Buffer {
    const out = new ByteWriter(64)
    out.u8(stateVersion)
    for (const field of [
      this.#startNext,
      this.end,
      this.lastAppendTime,
      this.compactedTo,
      this.cleanBytes,
      this.dirtyBytes,
      this.cleanings.length,
    ]) {
      out.uvarint(field)
    }
    for (const cleaning of this.cleanings) {
      out.uvarint(cleaning.upTo)
      out.uvarint(cleaning.at)
    }
    return out.view()
  }

  #decode(state: Buffer): void {
    const input = new ByteReader(state, 1)
    this.start = this.#startNext = input.uvarint()
    this.end = input.uvarint()
    this.lastAppendTime = input.uvarint()
    this.compactedTo = input.uvarint()
    this.cleanBytes = input.uvarint()
    this.dirtyBytes = input.uvarint()
    this.cleanings = Array.from({ length: input.uvarint() }, () => ({
      upTo: input.uvarint(),
      at: input.uvarint(),
    }))
  }
}
