/** Java's default partitioner, so that a key lands in the same partition whoever writes it. */

/** murmur2 as in `org.apache.kafka.common.utils.Utils`, a signed 32-bit result. */
export function murmur2(data: Uint8Array): number {
  const length = data.length
  const multiplier = 0x5bd1e995
  let hash = 0x9747b28c ^ length
  const whole = length & ~3
  for (let at = 0; at < whole; at += 4) {
    let word =
      (data[at] as number) |
      ((data[at + 1] as number) << 8) |
      ((data[at + 2] as number) << 16) |
      ((data[at + 3] as number) << 24)
    word = Math.imul(word, multiplier)
    word ^= word >>> 24
    hash = Math.imul(hash, multiplier) ^ Math.imul(word, multiplier)
  }
  const rest = length & 3
  if (rest === 3) hash ^= (data[whole + 2] as number) << 16
  if (rest >= 2) hash ^= (data[whole + 1] as number) << 8
  if (rest >= 1) {
    hash ^= data[whole] as number
    hash = Math.imul(hash, multiplier)
  }
  hash ^= hash >>> 13
  hash = Math.imul(hash, multiplier)
  return hash ^ (hash >>> 15)
}

/** The partition of a key; a record without a key goes to partition 0. */
export function partitionOf(key: Uint8Array | string | null, partitions: number): number {
  if (key === null || partitions === 1) return 0
  const bytes = typeof key === 'string' ? Buffer.from(key) : key
  return (murmur2(bytes) & 0x7fffffff) % partitions
}
