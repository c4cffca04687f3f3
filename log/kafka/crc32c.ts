/**
 * CRC-32C (Castagnoli), as record batches carry it.
 *
 * Measured on Node 24, MB/s for 200 B / 1 KB / 20 KB / 1 MB: the eight tables below about 400 at any length; the
 * library's native one 220 / 900 / 4600 / 6100.
 */
import { Writer, crc32c as libraryCrc32c } from '@platformatic/kafka'

const longBytes = 512
const tables = makeTables()
const [t0, t1, t2, t3, t4, t5, t6, t7] = tables

/** The checksum of `start` (inclusive) to `end` (exclusive), unsigned. */
export function crc32c(bytes: Buffer, start = 0, end = bytes.length): number {
  if (end - start < longBytes) return crc32cByTables(bytes, start, end)
  // The library copies a plain buffer first. What lies in one of its own it takes as it is.
  return libraryCrc32c(Writer.create().append(bytes.subarray(start, end)).dynamicBuffer) >>> 0
}

/** Eight bytes a step ("slicing by 8"). */
export function crc32cByTables(bytes: Buffer, start: number, end: number): number {
  let crc = -1
  let at = start
  for (; at + 8 <= end; at += 8) {
    crc ^=
      byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16) | (byte(bytes, at + 3) << 24)
    crc =
      entry(t7, crc) ^
      entry(t6, crc >>> 8) ^
      entry(t5, crc >>> 16) ^
      entry(t4, crc >>> 24) ^
      entry(t3, byte(bytes, at + 4)) ^
      entry(t2, byte(bytes, at + 5)) ^
      entry(t1, byte(bytes, at + 6)) ^
      entry(t0, byte(bytes, at + 7))
  }
  for (; at < end; at++) crc = entry(t0, crc ^ byte(bytes, at)) ^ (crc >>> 8)
  return (crc ^ -1) >>> 0
}

function byte(bytes: Buffer, at: number): number {
  return bytes[at] as number
}

function entry(table: Int32Array, index: number): number {
  return table[index & 0xff] as number
}

type Tables = readonly [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
]

function makeTables(): Tables {
  const polynomial = 0x82f63b78
  const first = new Int32Array(256)
  for (let index = 0; index < 256; index++) {
    let crc = index
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1
    first[index] = crc
  }
  const after = (table: Int32Array): Int32Array => table.map((crc) => entry(first, crc) ^ (crc >>> 8))
  const second = after(first)
  const third = after(second)
  const fourth = after(third)
  const fifth = after(fourth)
  const sixth = after(fifth)
  const seventh = after(sixth)
  return [first, second, third, fourth, fifth, sixth, seventh, after(seventh)]
}
