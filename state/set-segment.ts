/**
 * A segment: what one transaction changed in one set, as one changelog record.
 *
 * Value = entries, each: flag u8 (0 added, 1 removed) | size uvarint, member | size uvarint, value (added only).
 * A set is the fold of its segments in the order of their numbers. One segment is at most `segmentBytesMax`; more
 * changes become further numbers.
 */
import { ByteReader, ByteWriter, invariant } from '#core'
import { changelogKind } from './changelog.ts'

export const segmentBytesMax = 256 << 10

export const entryFlag = { added: 0, removed: 1 } as const

/** The changelog key of segment `number` of the set whose encoded key is `setKey`. */
export function writeSegmentKey(setKey: Uint8Array, number: number, out: ByteWriter): void {
  writeSegmentPrefix(setKey, out)
  out.i64(number)
}

/** What the keys of all segments of a set begin with, and no other set's. */
export function writeSegmentPrefix(setKey: Uint8Array, out: ByteWriter): void {
  out.u8(changelogKind.data)
  out.uvarint(setKey.length)
  out.bytes(setKey)
}

/** Splits a changelog key into the set's encoded key (a view) and the segment's number. */
export function readSegmentKey(key: Buffer): { readonly setKey: Buffer; readonly number: number } {
  const reader = new ByteReader(key)
  invariant(reader.u8() === changelogKind.data, 'a segment key begins with the data kind')
  const setKey = reader.view(reader.uvarint())
  return { setKey, number: reader.i64() }
}

/**
 * Walks the entries of a segment without an object for each: after `next()` returned true the fields describe the
 * current entry. Throws RangeError when the bytes are not a segment.
 */
export class SegmentCursor {
  readonly buffer: Buffer
  #at = 0
  removed = false
  /** After the flag: where the member's size stands. */
  entryStart = 0
  memberStart = 0
  memberEnd = 0
  valueStart = 0
  /** Also the end of the entry; equal to `memberEnd` for a removed member. */
  valueEnd = 0

  constructor(segment: Buffer) {
    this.buffer = segment
  }

  next(): boolean {
    const { buffer } = this
    if (this.#at >= buffer.length) return false
    this.removed = buffer[this.#at] !== entryFlag.added
    this.entryStart = ++this.#at
    const memberSize = this.#uvarint()
    this.memberStart = this.#at
    this.memberEnd = this.#at = this.memberStart + memberSize
    const valueSize = this.removed ? 0 : this.#uvarint()
    this.valueStart = this.#at
    this.valueEnd = this.#at = this.valueStart + valueSize
    if (this.#at > buffer.length) throw new RangeError('a segment ends in the middle of an entry')
    return true
  }

  #uvarint(): number {
    const { buffer } = this
    let byte = buffer[this.#at++] ?? 0
    let value = byte & 0x7f
    for (let shift = 7; byte >= 0x80 && shift < 28; shift += 7) {
      byte = buffer[this.#at++] ?? 0
      value |= (byte & 0x7f) << shift
    }
    return value
  }
}
