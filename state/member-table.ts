/**
 * The members of a set, or of a part of one, in memory: their encoded entries in a few large buffers, and an open
 * hash table over them. No object a member: for 12-byte members with 12-byte values about 45 bytes each.
 *
 * A slot is two words: the full hash, and the position of the entry plus one (0: free). Probing is linear and reads
 * an entry only when all 32 bits of the hash agree, so a miss touches the slots alone. Removing shifts the run behind
 * it back, so there are no tombstones to walk past.
 */
import type { SegmentCursor } from './set-segment.ts'

/** Positions are chunk number and offset in one word: at most 4 GiB in a table, entries of any size. */
const chunkBits = 15
const chunkBytesMax = 1 << chunkBits
const firstChunkBytes = 256
const firstSlots = 16
/** The slots are doubled when more than this share of them is taken; then they are between 35 % and 70 % full. */
const loadMax = 0.7
/** Replaced entries stay until they take more room than the living ones. */
const compactFromBytes = 1024
const ownBytes = 300

export class MemberTable {
  #slots = new Uint32Array(2 * firstSlots)
  #mask = firstSlots - 1
  #count = 0
  #chunks: Buffer[] = []
  #lastChunkUsed = 0
  #chunkBytes = 0
  #liveBytes = 0
  #deadBytes = 0

  /** After a `find` that answered true, and after each `next` of a cursor: where the entry lies. */
  buffer: Buffer = emptyBuffer
  entryStart = 0
  memberStart = 0
  memberEnd = 0
  valueStart = 0
  valueEnd = 0

  get count(): number {
    return this.#count
  }

  /** Memory taken, bytes. */
  get byteLength(): number {
    return ownBytes + this.#slots.byteLength + this.#chunkBytes
  }

  /** True when the member `bytes[start, end)` is there; then the fields tell where its entry lies. */
  find(hash: number, bytes: Uint8Array, start: number, end: number): boolean {
    return this.#slotOf(hash, bytes, start, end) >= 0
  }

  /** Adds the member of an entry, or replaces its value. */
  set(hash: number, entry: SegmentCursor | MemberTable): void {
    const { buffer, entryStart, valueEnd } = entry
    let slot = this.#slotOf(hash, buffer, entry.memberStart, entry.memberEnd)
    if (slot >= 0) {
      this.#bury(slot)
    } else {
      if (this.#count + 1 > (this.#mask + 1) * loadMax) this.#resize()
      slot = hash & this.#mask
      while (this.#slots[2 * slot + 1] !== 0) slot = (slot + 1) & this.#mask
      this.#slots[2 * slot] = hash
      this.#count++
    }
    this.#slots[2 * slot + 1] = this.#store(buffer, entryStart, valueEnd) + 1
    this.#compactWhenMostlyDead()
  }

  delete(hash: number, bytes: Uint8Array, start: number, end: number): void {
    const slots = this.#slots
    const mask = this.#mask
    let free = this.#slotOf(hash, bytes, start, end)
    if (free < 0) return
    this.#bury(free)
    this.#count--
    for (let slot = (free + 1) & mask; slots[2 * slot + 1] !== 0; slot = (slot + 1) & mask) {
      const home = (slots[2 * slot] as number) & mask
      // An entry may move back only as far as its home.
      if (((slot - home) & mask) < ((slot - free) & mask)) continue
      slots[2 * free] = slots[2 * slot] as number
      slots[2 * free + 1] = slots[2 * slot + 1] as number
      free = slot
    }
    slots[2 * free + 1] = 0
    this.#compactWhenMostlyDead()
  }

  /** Calls `visit` for every entry, in no particular order; the fields tell where it lies. The table must not change. */
  forEach(visit: (hash: number) => void): void {
    for (let slot = 0; slot <= this.#mask; slot++)
      if (this.#read(slot)) visit(this.#slots[2 * slot] as number)
  }

  /** One step for each entry, as `forEach`. */
  *walk(): Generator<void> {
    for (let slot = 0; slot <= this.#mask; slot++) if (this.#read(slot)) yield
  }

  #read(slot: number): boolean {
    const position = this.#slots[2 * slot + 1] as number
    if (position === 0) return false
    this.#readEntry(position - 1)
    return true
  }

  #slotOf(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const slots = this.#slots
    const mask = this.#mask
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const position = slots[2 * slot + 1] as number
      if (position === 0) return -1
      if (slots[2 * slot] === hash && this.#holds(position - 1, bytes, start, end)) return slot
    }
  }

  #holds(position: number, bytes: Uint8Array, start: number, end: number): boolean {
    this.#readEntry(position)
    const { buffer, memberStart } = this
    if (this.memberEnd - memberStart !== end - start) return false
    for (let at = start, own = memberStart; at < end; at++, own++) if (bytes[at] !== buffer[own]) return false
    return true
  }

  #readEntry(position: number, chunks: readonly Buffer[] = this.#chunks): void {
    const buffer = chunks[position >>> chunkBits] as Buffer
    this.buffer = buffer
    let at = position & (chunkBytesMax - 1)
    this.entryStart = at
    let byte = buffer[at++] as number
    let size = byte & 0x7f
    for (let shift = 7; byte >= 0x80; shift += 7) {
      byte = buffer[at++] as number
      size |= (byte & 0x7f) << shift
    }
    this.memberStart = at
    at += size
    this.memberEnd = at
    byte = buffer[at++] as number
    size = byte & 0x7f
    for (let shift = 7; byte >= 0x80; shift += 7) {
      byte = buffer[at++] as number
      size |= (byte & 0x7f) << shift
    }
    this.valueStart = at
    this.valueEnd = at + size
  }

  /** Copies an entry; returns its position. */
  #store(source: Buffer, start: number, end: number): number {
    const size = end - start
    let chunk = this.#chunks.at(-1)
    if (
      chunk === undefined ||
      this.#lastChunkUsed + size > chunk.length ||
      this.#lastChunkUsed >= chunkBytesMax
    ) {
      const doubled = Math.min(chunkBytesMax, Math.max(firstChunkBytes, 2 * (chunk?.length ?? 0)))
      chunk = Buffer.allocUnsafeSlow(Math.max(size, doubled))
      this.#chunks.push(chunk)
      this.#chunkBytes += chunk.length
      this.#lastChunkUsed = 0
    }
    const offset = this.#lastChunkUsed
    source.copy(chunk, offset, start, end)
    this.#lastChunkUsed += size
    this.#liveBytes += size
    return (this.#chunks.length - 1) * chunkBytesMax + offset
  }

  #bury(slot: number): void {
    this.#readEntry((this.#slots[2 * slot + 1] as number) - 1)
    const size = this.valueEnd - this.entryStart
    this.#liveBytes -= size
    this.#deadBytes += size
  }

  #compactWhenMostlyDead(): void {
    if (this.#deadBytes <= this.#liveBytes || this.#deadBytes < compactFromBytes) return
    const slots = this.#slots
    const chunks = this.#chunks
    this.#chunks = []
    this.#chunkBytes = this.#lastChunkUsed = this.#liveBytes = this.#deadBytes = 0
    for (let slot = 0; slot <= this.#mask; slot++) {
      const position = slots[2 * slot + 1] as number
      if (position === 0) continue
      this.#readEntry(position - 1, chunks)
      slots[2 * slot + 1] = this.#store(this.buffer, this.entryStart, this.valueEnd) + 1
    }
  }

  #resize(): void {
    const old = this.#slots
    const mask = this.#mask * 2 + 1
    const slots = new Uint32Array(2 * (mask + 1))
    for (let from = 0; from < old.length; from += 2) {
      const position = old[from + 1] as number
      if (position === 0) continue
      const hash = old[from] as number
      let slot = hash & mask
      while (slots[2 * slot + 1] !== 0) slot = (slot + 1) & mask
      slots[2 * slot] = hash
      slots[2 * slot + 1] = position
    }
    this.#slots = slots
    this.#mask = mask
  }
}

const emptyBuffer = Buffer.alloc(0)
