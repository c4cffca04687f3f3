/** How keys and values become bytes: written straight into the caller's buffer, read from a range of one. */
import { ByteReader, ByteWriter, KnownTexts } from '#core'

export interface Serde<T> {
  /** Shown in descriptions and errors. */
  readonly name: string
  /** True when `null` (a tombstone on the log) is a value of T; otherwise a null field makes the record poison. */
  readonly nullable?: boolean
  /** Appends the encoding of `value`. Equal values must give equal bytes: replay compares them. */
  write(value: T, out: ByteWriter): void
  /** Decodes `buffer[start, end)`; throws when it is not an encoding. Must not keep `buffer`. */
  read(buffer: Buffer, start: number, end: number): T
}

/** Keys of a task come again and again. */
const knownTexts = new KnownTexts()

/** Text as UTF-8. */
export const utf8: Serde<string> = {
  name: 'utf8',
  write: (value, out) => void out.utf8(value),
  read: (buffer, start, end) => knownTexts.read(buffer, start, end),
}

/** Raw bytes; read as a copy. */
export const bytes: Serde<Uint8Array> = {
  name: 'bytes',
  write: (value, out) => out.bytes(value),
  read: (buffer, start, end) => Buffer.from(buffer.subarray(start, end)),
}

/** A safe integer as 8 bytes whose bytewise order is the numbers' order. */
export const int64: Serde<number> = {
  name: 'int64',
  write(value, out) {
    const at = out.length
    out.i64(value)
    out.buffer[at] = (out.buffer[at] as number) ^ 0x80
  },
  read(buffer, start, end) {
    if (end - start !== 8) throw new RangeError(`int64 takes 8 bytes, got ${end - start}`)
    return (buffer.readUInt32BE(start) - 0x8000_0000) * 0x1_0000_0000 + buffer.readUInt32BE(start + 4)
  },
}

/**
 * JSON in UTF-8. `check` turns the parsed value into T, or throws; without it the value is trusted, which suits
 * topics that only this program writes.
 */
export function json<T>(check: (value: unknown) => T = (value) => value as T): Serde<T> {
  return {
    name: 'json',
    write: (value, out) => void out.utf8(JSON.stringify(value)),
    read: (buffer, start, end) => check(JSON.parse(buffer.toString('utf8', start, end))),
  }
}

/** The same serde with null as a value, for topics with tombstones. */
export function nullable<T>(serde: Serde<T>): Serde<T | null> {
  return {
    name: serde.name,
    nullable: true,
    write(value, out) {
      if (value !== null) serde.write(value, out)
    },
    read: (buffer, start, end) => serde.read(buffer, start, end),
  }
}

/** The encoding of one value as a Buffer of its own. */
export function encode<T>(serde: Serde<T>, value: T): Buffer {
  const out = new ByteWriter(64)
  serde.write(value, out)
  return out.toBuffer()
}

/** Decodes a whole buffer. */
export function decode<T>(serde: Serde<T>, buffer: Buffer): T {
  return serde.read(buffer, 0, buffer.length)
}

/** For serdes with a binary layout of their own. */
export function readerOf(buffer: Buffer, start: number, end: number): ByteReader {
  return new ByteReader(buffer, start, end)
}
