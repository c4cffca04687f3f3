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

/** Walks the entries of a segment; `value` is undefined for a removed member. Views of the segment's bytes. */
export function* segmentEntries(bytes: Buffer): Generator<{ member: Buffer; value: Buffer | undefined }> {
  const reader = new ByteReader(bytes)
  while (reader.remaining > 0) {
    const flag = reader.u8()
    const member = reader.view(reader.uvarint())
    yield { member, value: flag === entryFlag.added ? reader.view(reader.uvarint()) : undefined }
  }
}
