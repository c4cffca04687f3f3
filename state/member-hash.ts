/**
 * HalfSipHash-1-3: 32 bits of keyed hash over the bytes of a member.
 *
 * Members come from users (a user id, an Idempotency-Key), so the hash has to have a secret: with a known one, chosen
 * members would all fall into one place of a table and make every look-up walk past all of them.
 * Source: Aumasson, Bernstein: SipHash, a fast short-input PRF; the rounds of Linux' hsiphash.
 */
export class MemberHash {
  readonly #key0: number
  readonly #key1: number

  /** @param seed 8 secret bytes */
  constructor(seed: Buffer) {
    this.#key0 = seed.readInt32LE(0)
    this.#key1 = seed.readInt32LE(4)
  }

  /** Of `bytes[start, end)`; an unsigned 32-bit integer. */
  of(bytes: Uint8Array, start: number, end: number): number {
    let v0 = this.#key0
    let v1 = this.#key1
    let v2 = 0x6c796765 ^ v0
    let v3 = 0x74656462 ^ v1
    const size = end - start
    const wordsEnd = start + (size & ~3)
    let last = size << 24
    for (let at = wordsEnd, shift = 0; at < end; at++, shift += 8) last |= (bytes[at] as number) << shift
    for (let at = start; at <= wordsEnd; at += 4) {
      const word =
        at === wordsEnd
          ? last
          : (bytes[at] as number) |
            ((bytes[at + 1] as number) << 8) |
            ((bytes[at + 2] as number) << 16) |
            ((bytes[at + 3] as number) << 24)
      v3 ^= word
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
      v0 ^= word
    }
    v2 ^= 0xff
    for (let round = 0; round < 3; round++) {
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
    }
    return (v1 ^ v3) >>> 0
  }
}
