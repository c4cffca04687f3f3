/**
 * About how many bytes a value takes, for bounding what a transaction holds in memory: it is encoded only when it is
 * sealed. Exact for text and bytes; of an object so many parts are looked at that a few large ones do not go unseen,
 * and so few that it costs no more than the write itself.
 */
const partsMax = 32
const overheadBytes = 32

export function roughSize(value: unknown): number {
  if (typeof value === 'string') return overheadBytes + value.length
  if (typeof value !== 'object' || value === null) return overheadBytes
  if (value instanceof Uint8Array) return overheadBytes + value.length
  let size = overheadBytes
  let parts = 0
  for (const name in value) {
    if (++parts > partsMax) break
    const part = (value as Readonly<Record<string, unknown>>)[name]
    size += typeof part === 'object' ? nestedSize(part) : roughSize(part)
  }
  return size
}

/** One level down; what lies deeper counts as small. */
function nestedSize(value: unknown): number {
  if (value instanceof Uint8Array) return overheadBytes + value.length
  let size = overheadBytes
  let parts = 0
  for (const name in value as object) {
    if (++parts > partsMax) break
    const part = (value as Readonly<Record<string, unknown>>)[name]
    size += typeof part === 'string' || part instanceof Uint8Array ? part.length : overheadBytes
  }
  return size
}
