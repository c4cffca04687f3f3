/**
 * Kafka's record batch format, version 2 (KIP-98), written and read flat: one buffer, no object a record.
 *
 * Both drivers speak it: the Kafka driver because the broker does, the embedded driver because one codec is enough.
 * Batches are uncompressed here; a driver decompresses what it receives. The CRC is filled in and checked by the
 * Kafka driver only (RocksDB has checksums of its own).
 *
 * Layout of a batch (big-endian): baseOffset i64 | batchLength i32 (bytes after this field) | leaderEpoch i32 |
 * magic i8 = 2 | crc u32 | attributes i16 | lastOffsetDelta i32 | baseTimestamp i64 | maxTimestamp i64 |
 * producerId i64 | producerEpoch i16 | baseSequence i32 | count i32 | records.
 * A record: length varint | attributes i8 | timestampDelta varint | offsetDelta varint | key | value | headers.
 */
import { ByteWriter, noHeaders, readI64, writeI64 } from '#core'
import type { BytesLike, RecordHeader, RecordHeaders } from '#core'

/** Byte positions inside a batch. */
export const batchField = {
  baseOffset: 0,
  batchLength: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  count: 57,
  records: 61,
} as const

export const batchAttribute = {
  compression: 0x07,
  logAppendTime: 0x08,
  transactional: 0x10,
  control: 0x20,
} as const

export const batchOverheadBytes = batchField.records

/** Collects records of one partition into one batch. Use `reset` to write the next batch into the same memory. */
export class RecordBatchBuilder {
  readonly #out: ByteWriter
  #count = 0
  #baseTimestamp = 0
  #maxTimestamp = 0
  #recordStart = 0
  #recordTimestamp = 0
  #fieldStart = 0
  /** Left for the length of the next field. */
  #fieldWidth: number = usualWidth.key

  constructor(capacity = 4096) {
    this.#out = new ByteWriter(capacity)
    this.reset()
  }

  get count(): number {
    return this.#count
  }

  /** Size of the batch so far, bytes, header included. */
  get byteLength(): number {
    return this.#out.length
  }

  /** Memory that it holds, bytes. */
  get capacity(): number {
    return this.#out.buffer.length
  }

  /** Largest timestamp so far; 0 when empty. */
  get maxTimestamp(): number {
    return this.#maxTimestamp
  }

  reset(): void {
    this.#out.length = 0
    this.#out.reserve(batchField.records)
    this.#out.length = batchField.records
    this.#count = 0
    this.#maxTimestamp = 0
  }

  /**
   * Adds a record; its offset is the batch's base offset plus its index.
   * @returns the bytes it takes in the batch
   */
  append(
    key: BytesLike | null,
    value: BytesLike | null,
    timestamp: number,
    headers: RecordHeaders = noHeaders,
  ): number {
    this.begin(timestamp)
    this.writeField(key)
    this.writeField(value)
    return this.end(headers)
  }

  /**
   * Writes a record piece by piece, for callers that encode key and value straight into the batch:
   * `begin`, then `key` and `value` by `writeField` or `openField … closeField`, then `end`.
   */
  begin(timestamp: number): void {
    const out = this.#out
    if (this.#count === 0) this.#baseTimestamp = timestamp
    this.#recordStart = out.length
    out.reserve(maxPrefixBytes)
    // The record's length is known only at its end: leave room for it, and write it then.
    out.length += usualWidth.record
    out.u8(0)
    out.varint(timestamp - this.#baseTimestamp)
    out.varint(this.#count)
    this.#recordTimestamp = timestamp
    this.#fieldWidth = usualWidth.key
  }

  writeField(field: BytesLike | null): void {
    const out = this.#out
    if (field === null) {
      out.varint(-1)
      this.#fieldWidth = usualWidth.value
    } else if (typeof field === 'string') {
      this.openField()
      out.utf8(field)
      this.closeField()
    } else {
      out.varint(field.length)
      out.bytes(field)
      this.#fieldWidth = usualWidth.value
    }
  }

  /** Opens a field of unknown length; the caller writes into the returned writer, then calls `closeField`. */
  openField(): ByteWriter {
    const out = this.#out
    out.reserve(maxVarintBytes)
    this.#fieldStart = out.length
    out.length += this.#fieldWidth
    return out
  }

  closeField(): void {
    closeGap(this.#out, this.#fieldStart, this.#fieldWidth)
    this.#fieldWidth = usualWidth.value
  }

  /** Ends the record; returns the bytes it takes. */
  end(headers: RecordHeaders = noHeaders): number {
    const out = this.#out
    out.varint(headers.length)
    for (const header of headers) {
      this.writeField(header.key)
      this.writeField(header.value)
    }
    closeGap(out, this.#recordStart, usualWidth.record)
    this.#count++
    if (this.#recordTimestamp > this.#maxTimestamp) this.#maxTimestamp = this.#recordTimestamp
    return out.length - this.#recordStart
  }

  /** Where a savepoint is; pass it to `rollback` to drop everything after it. Fills in `into` where that is given. */
  mark(into: BatchMark = { length: 0, count: 0, maxTimestamp: 0 }): BatchMark {
    into.length = this.#out.length
    into.count = this.#count
    into.maxTimestamp = this.#maxTimestamp
    return into
  }

  rollback(mark: BatchMark): void {
    this.#out.truncate(mark.length)
    this.#count = mark.count
    this.#maxTimestamp = mark.maxTimestamp
  }

  /** The finished batch as a view of the builder's memory, valid until the next change; the driver stamps it. */
  finish(): Buffer {
    const batch = this.#out.view()
    writeI64(batch, batchField.baseOffset, 0)
    batch.writeInt32BE(batch.length - batchField.leaderEpoch, batchField.batchLength)
    batch.writeInt32BE(-1, batchField.leaderEpoch)
    batch[batchField.magic] = 2
    batch.writeUInt32BE(0, batchField.crc)
    batch.writeInt16BE(0, batchField.attributes)
    batch.writeInt32BE(this.#count - 1, batchField.lastOffsetDelta)
    writeI64(batch, batchField.baseTimestamp, this.#baseTimestamp)
    writeI64(batch, batchField.maxTimestamp, this.#maxTimestamp)
    writeI64(batch, batchField.producerId, -1)
    batch.writeInt16BE(-1, batchField.producerEpoch)
    batch.writeInt32BE(-1, batchField.baseSequence)
    batch.writeInt32BE(this.#count, batchField.count)
    return batch
  }
}

export interface BatchMark {
  length: number
  count: number
  maxTimestamp: number
}

/** Widths of the lengths' varints to begin with: keys are short, values and records of 64 to 8191 bytes the rule. */
const usualWidth = { key: 1, value: 2, record: 2 } as const
const maxPrefixBytes = 64
const maxVarintBytes = 5

/**
 * Writes the varint length of what follows the gap at `start`. The content moves only when the length does not have
 * the width that was left for it.
 */
function closeGap(out: ByteWriter, start: number, gap: number): void {
  const contentStart = start + gap
  const contentEnd = out.length
  const size = contentEnd - contentStart
  const width =
    size < 1 << 6 ? 1 : size < 1 << 13 ? 2 : size < 1 << 20 ? 3 : size < 1 << 27 ? 4 : maxVarintBytes
  if (width !== gap) {
    out.reserve(maxVarintBytes)
    out.buffer.copyWithin(start + width, contentStart, contentEnd)
  }
  out.length = start + width + size
  // Written here, not by `varint`: that would make room behind what is already behind it.
  const { buffer } = out
  let at = start
  let rest = size * 2
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) buffer[at++] = (rest & 0x7f) | 0x80
  buffer[at] = rest
}

/** Offset of the first record of an encoded batch, inclusive. */
export function baseOffsetOf(batch: Buffer): number {
  return readI64(batch, batchField.baseOffset)
}

/** Offset after the last record of an encoded batch, exclusive. */
export function endOffsetOf(batch: Buffer): number {
  return baseOffsetOf(batch) + batch.readInt32BE(batchField.lastOffsetDelta) + 1
}

/**
 * Walks the records of batches in order without making an object for each: after `next()` returned true the fields
 * describe the current record. `keyEnd` or `valueEnd` below its start means null.
 */
export class RecordCursor {
  readonly #batches: readonly Buffer[]
  readonly #startOffset: number
  #batch = -1
  #left = 0
  #at = 0
  #baseOffset = 0
  #baseTimestamp = 0
  #appendTime = -1
  #headersAt = 0

  /** The buffer that the positions below index. */
  buffer: Buffer = emptyBuffer
  offset = 0
  timestamp = 0
  keyStart = 0
  keyEnd = -1
  valueStart = 0
  valueEnd = -1

  /** @param startOffset records below it are passed over (a fetch may begin inside a batch) */
  constructor(batches: readonly Buffer[], startOffset = 0) {
    this.#batches = batches
    this.#startOffset = startOffset
  }

  next(): boolean {
    for (;;) {
      while (this.#left === 0) if (!this.#nextBatch()) return false
      this.#readRecord()
      if (this.offset >= this.#startOffset) return true
    }
  }

  /** The key as a view of the batch; null when the record has none. */
  key(): Buffer | null {
    return this.keyEnd < this.keyStart ? null : this.buffer.subarray(this.keyStart, this.keyEnd)
  }

  /** The value as a view of the batch; null for a tombstone. */
  value(): Buffer | null {
    return this.valueEnd < this.valueStart ? null : this.buffer.subarray(this.valueStart, this.valueEnd)
  }

  /** Position in `buffer` after the current record. */
  get recordEnd(): number {
    return this.#at
  }

  /** True when the record has headers; much cheaper than `headers()`. */
  get hasHeaders(): boolean {
    return this.buffer[this.#headersAt] !== 0
  }

  /** Decodes the headers; values are views of the batch. */
  headers(): RecordHeader[] {
    const saved = this.#at
    this.#at = this.#headersAt
    const headers: RecordHeader[] = []
    for (let left = this.#varint(); left > 0; left--) {
      const keySize = this.#varint()
      const key = this.buffer.toString('utf8', this.#at, this.#at + keySize)
      this.#at += keySize
      const valueSize = this.#varint()
      const value = valueSize < 0 ? null : this.buffer.subarray(this.#at, this.#at + valueSize)
      this.#at += Math.max(valueSize, 0)
      headers.push({ key, value })
    }
    this.#at = saved
    return headers
  }

  #nextBatch(): boolean {
    const batch = this.#batches[++this.#batch]
    if (batch === undefined) return false
    this.buffer = batch
    this.#at = batchField.records
    this.#left = batch.readInt32BE(batchField.count)
    this.#baseOffset = baseOffsetOf(batch)
    this.#baseTimestamp = readI64(batch, batchField.baseTimestamp)
    const attributes = batch.readInt16BE(batchField.attributes)
    this.#appendTime =
      (attributes & batchAttribute.logAppendTime) === 0 ? -1 : readI64(batch, batchField.maxTimestamp)
    return true
  }

  #readRecord(): void {
    const size = this.#varint()
    const end = this.#at + size
    this.#at++
    const timestampDelta = this.#varint()
    this.timestamp = this.#appendTime >= 0 ? this.#appendTime : this.#baseTimestamp + timestampDelta
    this.offset = this.#baseOffset + this.#varint()
    const keySize = this.#varint()
    this.keyStart = this.#at
    this.keyEnd = this.#at + keySize
    if (keySize > 0) this.#at = this.keyEnd
    const valueSize = this.#varint()
    this.valueStart = this.#at
    this.valueEnd = this.#at + valueSize
    if (valueSize > 0) this.#at = this.valueEnd
    this.#headersAt = this.#at
    this.#at = end
    this.#left--
  }

  #varint(): number {
    const buffer = this.buffer
    let byte = buffer[this.#at++] as number
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1)
    let value = byte & 0x7f
    let scale = 0x80
    do {
      byte = buffer[this.#at++] as number
      value += (byte & 0x7f) * scale
      scale *= 0x80
    } while (byte >= 0x80)
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }
}

const emptyBuffer = Buffer.alloc(0)

/** Re-writes records of a batch that `keep` accepts, with their offsets and timestamps; undefined when none is left. */
export function filterBatch(batch: Buffer, keep: (cursor: RecordCursor) => boolean): Buffer | undefined {
  const out = new ByteWriter(batch.length)
  out.bytes(batch, 0, batchField.records)
  const cursor = new RecordCursor([batch])
  let kept = 0
  let start: number = batchField.records
  while (cursor.next()) {
    const end = cursor.recordEnd
    if (keep(cursor)) {
      out.bytes(batch, start, end)
      kept++
    }
    start = end
  }
  if (kept === 0) return undefined
  const filtered = out.toBuffer()
  filtered.writeInt32BE(filtered.length - batchField.leaderEpoch, batchField.batchLength)
  filtered.writeInt32BE(kept, batchField.count)
  return filtered
}
