/**
 * Flat binary writing and reading: one growing buffer and a position, no object a field.
 *
 * Varints are zig-zag LEB128 as in Kafka's record format; `uvarint` is the plain unsigned form.
 * 64-bit integers are read and written as safe integers (|n| <= 2^53 - 1), never as BigInt.
 */

/** Bytes as callers hand them over; a string is written as UTF-8. */
export type BytesLike = Uint8Array | string

/** Up to this length a text that turns out to be ASCII is written faster byte by byte than by a native call. */
const shortText = 48

const digitsSplit = 1e9
const digitsSplitLength = 9

export class ByteWriter {
  /** Valid up to `length`; replaced by a larger one when it grows, so never keep it across writes. */
  buffer: Buffer
  /** Bytes written so far, which is also the next write position. */
  length = 0

  constructor(capacity = 1024) {
    this.buffer = Buffer.allocUnsafeSlow(capacity)
  }

  /** Makes room for `bytes` more. */
  reserve(bytes: number): void {
    const needed = this.length + bytes
    if (needed <= this.buffer.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2))
    this.buffer.copy(grown, 0, 0, this.length)
    this.buffer = grown
  }

  /** Forgets everything from `length` on: the way back to a savepoint. */
  truncate(length: number): void {
    this.length = length
  }

  u8(value: number): void {
    this.reserve(1)
    this.buffer[this.length++] = value
  }

  u16(value: number): void {
    this.reserve(2)
    this.length = this.buffer.writeUInt16BE(value, this.length)
  }

  u32(value: number): void {
    this.reserve(4)
    this.length = this.buffer.writeUInt32BE(value, this.length)
  }

  /** A signed 64-bit big-endian integer from a safe integer. */
  i64(value: number): void {
    this.reserve(8)
    writeI64(this.buffer, this.length, value)
    this.length += 8
  }

  f64(value: number): void {
    this.reserve(8)
    this.length = this.buffer.writeDoubleBE(value, this.length)
  }

  uvarint(value: number): void {
    this.reserve(10)
    const buffer = this.buffer
    let rest = value
    while (rest >= 0x80) {
      buffer[this.length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    buffer[this.length++] = rest
  }

  varint(value: number): void {
    this.uvarint(value >= 0 ? value * 2 : -value * 2 - 1)
  }

  /** UTF-8 without a length; returns the bytes written. */
  utf8(text: string): number {
    const size = text.length
    this.reserve(size * 3)
    if (size <= shortText) {
      const { buffer } = this
      const start = this.length
      let index = 0
      for (; index < size; index++) {
        const code = text.charCodeAt(index)
        if (code > 0x7f) break
        buffer[start + index] = code
      }
      if (index === size) {
        this.length += size
        return size
      }
    }
    const written = this.buffer.write(text, this.length, 'utf8')
    this.length += written
    return written
  }

  /**
   * ASCII, byte by byte: for short texts faster than the native call of `utf8`. The caller knows that every character
   * is below 0x80.
   */
  ascii(text: string): void {
    const size = text.length
    this.reserve(size)
    const { buffer } = this
    let at = this.length
    for (let index = 0; index < size; index++) buffer[at++] = text.charCodeAt(index)
    this.length = at
  }

  /** A few bytes, one by one: for short constants faster than the native call of `bytes`. */
  literal(source: Uint8Array): void {
    const size = source.length
    this.reserve(size)
    const { buffer } = this
    const at = this.length
    for (let index = 0; index < size; index++) buffer[at + index] = source[index] as number
    this.length = at + size
  }

  /** A safe integer in decimal digits. */
  decimal(value: number): void {
    if (value < 0) {
      this.ascii('-')
      this.decimal(-value)
      return
    }
    if (value < digitsSplit) {
      this.#digits(value, 1)
      return
    }
    const high = Math.floor(value / digitsSplit)
    this.decimal(high)
    this.#digits(value - high * digitsSplit, digitsSplitLength)
  }

  /** @param value below `digitsSplit`, so that integer arithmetic does; @param least digits, zeros in front */
  #digits(value: number, least: number): void {
    this.reserve(digitsSplitLength)
    let size = 1
    for (let rest = (value / 10) | 0; rest > 0; rest = (rest / 10) | 0) size++
    if (size < least) size = least
    const { buffer } = this
    let rest = value | 0
    for (let at = this.length + size - 1; at >= this.length; at--) {
      const next = (rest / 10) | 0
      buffer[at] = 0x30 + rest - next * 10
      rest = next
    }
    this.length += size
  }

  bytes(source: Uint8Array, start = 0, end = source.length): void {
    this.reserve(end - start)
    this.buffer.set(start === 0 && end === source.length ? source : source.subarray(start, end), this.length)
    this.length += end - start
  }

  /** What another writer holds. */
  bytesOf(source: ByteWriter): void {
    const size = source.length
    this.reserve(size)
    const from = source.buffer
    if (size > shortText) {
      from.copy(this.buffer, this.length, 0, size)
    } else {
      const { buffer } = this
      const at = this.length
      for (let index = 0; index < size; index++) buffer[at + index] = from[index] as number
    }
    this.length += size
  }

  /** A length-prefixed (unsigned varint) UTF-8 string; read back by `ByteReader.text`. */
  text(text: string): void {
    const size = Buffer.byteLength(text)
    this.uvarint(size)
    this.utf8(text)
  }

  /** A copy of what was written. */
  toBuffer(start = 0): Buffer {
    return Buffer.from(this.buffer.subarray(start, this.length))
  }

  /** A view of what was written; valid until the next write. */
  view(start = 0): Buffer {
    return this.buffer.subarray(start, this.length)
  }
}

/** Reads forward over a range of a buffer. Throws RangeError past the end. */
export class ByteReader {
  readonly buffer: Buffer
  position: number
  /** Exclusive. */
  readonly end: number

  constructor(buffer: Buffer, start = 0, end = buffer.length) {
    this.buffer = buffer
    this.position = start
    this.end = end
  }

  get remaining(): number {
    return this.end - this.position
  }

  private take(bytes: number): number {
    const at = this.position
    if (bytes < 0 || at + bytes > this.end) throw new RangeError(`read of ${bytes} bytes past the end`)
    this.position = at + bytes
    return at
  }

  u8(): number {
    return this.buffer[this.take(1)] as number
  }

  u16(): number {
    return this.buffer.readUInt16BE(this.take(2))
  }

  u32(): number {
    return this.buffer.readUInt32BE(this.take(4))
  }

  i64(): number {
    return readI64(this.buffer, this.take(8))
  }

  f64(): number {
    return this.buffer.readDoubleBE(this.take(8))
  }

  uvarint(): number {
    let value = 0
    let scale = 1
    for (let byte = 0; byte < 10; byte++) {
      const part = this.u8()
      value += (part & 0x7f) * scale
      if (part < 0x80) return value
      scale *= 0x80
    }
    throw new RangeError('varint longer than 10 bytes')
  }

  varint(): number {
    const raw = this.uvarint()
    return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2
  }

  text(): string {
    const size = this.uvarint()
    const at = this.take(size)
    return this.buffer.toString('utf8', at, at + size)
  }

  /** A view of the next `size` bytes. */
  view(size: number): Buffer {
    const at = this.take(size)
    return this.buffer.subarray(at, at + size)
  }
}

export function writeI64(buffer: Buffer, at: number, value: number): void {
  buffer.writeInt32BE(Math.floor(value / 0x1_0000_0000), at)
  buffer.writeUInt32BE(value >>> 0, at + 4)
}

export function readI64(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at) * 0x1_0000_0000 + buffer.readUInt32BE(at + 4)
}

/** A Buffer over the same memory. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** What every Buffer has, but its types leave out: decoding without the look-up of an encoding's name. */
interface Slices {
  latin1Slice(start: number, end: number): string
  utf8Slice(start: number, end: number): string
}

/** `buffer[start, end)` as one character a byte: right for ASCII, and for comparing bytes as text. */
export function latin1Text(buffer: Buffer, start: number, end: number): string {
  return (buffer as Buffer & Slices).latin1Slice(start, end)
}

/** `buffer[start, end)` decoded as UTF-8. */
export function utf8Text(buffer: Buffer, start: number, end: number): string {
  return (buffer as Buffer & Slices).utf8Slice(start, end)
}

/** The smallest key greater than every key that starts with `prefix`; undefined when there is none (all 0xff). */
export function prefixEnd(prefix: Uint8Array): Buffer | undefined {
  for (let last = prefix.length - 1; last >= 0; last--) {
    if (prefix[last] !== 0xff) {
      const end = Buffer.from(prefix.subarray(0, last + 1))
      end[last] = (end[last] as number) + 1
      return end
    }
  }
  return undefined
}
