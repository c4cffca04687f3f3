/**
 * About how many bytes a value takes, for bounding what a transaction holds in memory: it is encoded only when it is
 * sealed. Exact for text and bytes; of an object so many parts are looked at that a few large ones do not go unseen,
 * and so few that it costs no more than the write itself.
 */
const partsMax = 32
/** The value's own parts and theirs; what lies deeper counts as small. */
const levelsMax = 2
const overheadBytes = 32

export function roughSize(value: unknown): number {
  return sizeWithin(levelsMax, value)
}

function sizeWithin(levels: number, value: unknown): number {
  if (typeof value === 'string') return overheadBytes + value.length
  if (typeof value !== 'object' || value === null) return overheadBytes
  if (value instanceof Uint8Array) return overheadBytes + value.length
  let size = overheadBytes
  if (levels === 0) return size
  let parts = 0
  // `for in` makes a string of each index of an array, and once it met one it is slow over objects, too (measured:
  // four times in a loop of its own, a fifth of the engine's time in the drain).
  if (Array.isArray(value)) {
    for (; parts < value.length && parts < partsMax; parts++) size += sizeWithin(levels - 1, value[parts])
    return size
  }
  for (const name in value) {
    if (++parts > partsMax) break
    size += sizeWithin(levels - 1, (value as Readonly<Record<string, unknown>>)[name])
  }
  return size
}
