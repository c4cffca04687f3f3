/**
 * Which segments of a set are merged, and what becomes of them.
 *
 * Size-tiered: a run of neighbours is merged when together they are at least four times as large as the largest of
 * them. So every byte that is rewritten ends up in a segment about four times the size of the one it came from, and
 * with segments limited to 256 KiB a byte is rewritten at most log4(256 KiB / size of its first segment) times: 7 for
 * segments of one small member, 3 for those of 4 KiB. At rest no more than three neighbours of like size remain.
 */
import { ByteWriter } from '#core'
import { SegmentCursor, segmentBytesMax } from './set-segment.ts'

const growthMin = 4

/**
 * The neighbours to merge next as indexes [from, to); undefined when nothing is worth it.
 * @param sizes of the values in number order, bytes
 */
export function runToMerge(
  sizes: readonly number[],
): { readonly from: number; readonly to: number } | undefined {
  for (let from = 0; from < sizes.length; from++) {
    let sum = 0
    let largest = 0
    let to = from
    for (; to < sizes.length; to++) {
      const size = sizes[to] as number
      if (sum + size > segmentBytesMax) break
      sum += size
      largest = Math.max(largest, size)
    }
    if (to - from > 1 && sum >= growthMin * largest) return { from, to }
  }
  return undefined
}

/**
 * The fold of neighbouring segments, as one; undefined when nothing is left of them.
 * @param lowest true when no segment of the set is below: then there is nothing that a removal has to hide
 */
export function mergeSegments(values: readonly Buffer[], lowest: boolean): Buffer | undefined {
  const entries = new Map<string, Buffer>()
  for (const value of values) {
    const cursor = new SegmentCursor(value)
    while (cursor.next()) {
      const { removed, entryStart, memberStart, memberEnd, valueEnd } = cursor
      const member = value.toString('latin1', memberStart, memberEnd)
      if (removed && lowest) entries.delete(member)
      // The byte before an entry is its flag.
      else entries.set(member, value.subarray(entryStart - 1, removed ? memberEnd : valueEnd))
    }
  }
  if (entries.size === 0) return undefined
  const out = new ByteWriter(values.reduce((sum, { length }) => sum + length, 0))
  for (const entry of entries.values()) out.bytes(entry)
  return out.toBuffer()
}
