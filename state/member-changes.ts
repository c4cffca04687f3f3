/**
 * What one transaction does to the members of one set: entries as a segment has them, in the order in which they were
 * written, and an open hash table over the last one of each member. Sealing copies the bytes; nothing is encoded twice,
 * and no object is made for a member.
 *
 * A slot is two words, as in member-table.ts: the full hash, and the position of the entry plus one (0: free).
 */
import { ByteWriter } from '#core'
import type { Undoable } from './journal.ts'
import type { MemberHash } from './member-hash.ts'
import { SegmentCursor, entryFlag } from './set-segment.ts'

const firstSlots = 16
const firstBytes = 1024
const loadMax = 0.7
/** What is larger is not kept for the next transaction. */
const keptBytesMax = 256 << 10

export class MemberChanges implements Undoable {
  readonly #hash: MemberHash
  readonly #entries = new ByteWriter(firstBytes)
  #slots = new Uint32Array(2 * firstSlots)
  #mask = firstSlots - 1
  #count = 0

  /** After a `find` that answered true: whether the member was removed, and else where its value lies in `buffer`. */
  removed = false
  valueStart = 0
  valueEnd = 0

  constructor(hash: MemberHash) {
    this.#hash = hash
  }

  get buffer(): Buffer {
    return this.#entries.buffer
  }

  /** Of all entries, those that later ones replace among them. */
  get byteLength(): number {
    return this.#entries.length
  }

  /** The entries, as a view; it stays good until the next change. */
  view(): Buffer {
    return this.#entries.view()
  }

  /** True when the transaction wrote the member `bytes[0, size)`. */
  find(hash: number, bytes: Uint8Array, size: number): boolean {
    const slot = this.#slotOf(hash, bytes, 0, size)
    const position = this.#slots[2 * slot + 1] as number
    if (position === 0) return false
    this.#readEntry(position - 1)
    return true
  }

  /** Appends an entry. @param value its encoding; undefined removes the member */
  write(hash: number, member: ByteWriter, value: ByteWriter | undefined): void {
    const entries = this.#entries
    const position = entries.length
    entries.u8(value === undefined ? entryFlag.removed : entryFlag.added)
    entries.uvarint(member.length)
    entries.bytesOf(member)
    if (value !== undefined) {
      entries.uvarint(value.length)
      entries.bytesOf(value)
    }
    this.#place(hash, member.buffer, 0, member.length, position)
  }

  /** Forgets what was written from byte `length` on. */
  rollback(length: number): void {
    this.#entries.truncate(length)
    this.#slots.fill(0)
    this.#count = 0
    const cursor = new SegmentCursor(this.view())
    while (cursor.next()) {
      const { buffer, entryStart, memberStart, memberEnd } = cursor
      const hash = this.#hash.of(buffer, memberStart, memberEnd)
      this.#place(hash, buffer, memberStart, memberEnd, entryStart - 1)
    }
  }

  /** Empties it for another transaction; false when it has grown too large to be kept. */
  recycle(): boolean {
    if (this.#entries.buffer.length > keptBytesMax) return false
    this.#entries.truncate(0)
    this.#slots.fill(0)
    this.#count = 0
    return true
  }

  #place(hash: number, bytes: Uint8Array, start: number, end: number, position: number): void {
    if (this.#count + 1 > (this.#mask + 1) * loadMax) this.#grow()
    const slot = this.#slotOf(hash, bytes, start, end)
    if (this.#slots[2 * slot + 1] === 0) this.#count++
    this.#slots[2 * slot] = hash
    this.#slots[2 * slot + 1] = position + 1
  }

  /** The member's slot, or the free one where it belongs. */
  #slotOf(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const slots = this.#slots
    const mask = this.#mask
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const position = slots[2 * slot + 1] as number
      if (position === 0) return slot
      if (slots[2 * slot] === hash && this.#holds(position - 1, bytes, start, end)) return slot
    }
  }

  #holds(position: number, bytes: Uint8Array, start: number, end: number): boolean {
    const memberEnd = this.#readEntry(position)
    const { buffer } = this
    const size = end - start
    const memberStart = this.#memberStart
    if (memberEnd - memberStart !== size) return false
    for (let at = 0; at < size; at++) if (bytes[start + at] !== buffer[memberStart + at]) return false
    return true
  }

  #memberStart = 0

  /** Returns where the member ends. */
  #readEntry(position: number): number {
    const { buffer } = this
    this.removed = buffer[position] === entryFlag.removed
    let at = position + 1
    let byte = buffer[at++] as number
    let size = byte & 0x7f
    for (let shift = 7; byte >= 0x80; shift += 7) {
      byte = buffer[at++] as number
      size |= (byte & 0x7f) << shift
    }
    this.#memberStart = at
    const memberEnd = at + size
    if (this.removed) return memberEnd
    at = memberEnd
    byte = buffer[at++] as number
    size = byte & 0x7f
    for (let shift = 7; byte >= 0x80; shift += 7) {
      byte = buffer[at++] as number
      size |= (byte & 0x7f) << shift
    }
    this.valueStart = at
    this.valueEnd = at + size
    return memberEnd
  }

  #grow(): void {
    const old = this.#slots
    const mask = this.#mask * 2 + 1
    const slots = new Uint32Array(2 * (mask + 1))
    for (let from = 0; from < old.length; from += 2) {
      if (old[from + 1] === 0) continue
      const hash = old[from] as number
      let slot = hash & mask
      while (slots[2 * slot + 1] !== 0) slot = (slot + 1) & mask
      slots[2 * slot] = hash
      slots[2 * slot + 1] = old[from + 1] as number
    }
    this.#slots = slots
    this.#mask = mask
  }
}
