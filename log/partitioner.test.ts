import { describe, expect, it } from 'vitest'
import { murmur2, partitionOf } from './partitioner.ts'

describe('murmur2', () => {
  // The vectors of Kafka's own UtilsTest.
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('hashes %s as Java does', (text, hash) => {
    expect(murmur2(Buffer.from(text))).toBe(hash)
  })
})

describe('partitionOf', () => {
  it('takes the hash without its sign, modulo the partitions', () => {
    expect(partitionOf('21', 4)).toBe((-973932308 & 0x7fffffff) % 4)
    expect(partitionOf(Buffer.from('abc'), 7)).toBe(479470107 % 7)
  })

  it('hashes a string as its UTF-8 bytes', () => {
    for (const key of ['', 'é', '쿠폰', '🎟']) {
      expect(partitionOf(key, 1000)).toBe(partitionOf(Buffer.from(key), 1000))
    }
  })

  it('puts records without a key into partition 0', () => {
    expect(partitionOf(null, 8)).toBe(0)
  })
})
