import { describe, expect, it } from 'vitest'
import { crc32c, crc32cByTables } from './crc32c.ts'

describe('crc32c', () => {
  it.each([
    ['', 0],
    ['a', 0xc1d04330],
    ['123456789', 0xe3069283],
    ['The quick brown fox jumps over the lazy dog', 0x22620404],
  ])('of %j', (text, expected) => expect(crc32c(Buffer.from(text))).toBe(expected))

  // RFC 3720, appendix B.4.
  it.each([
    ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
    ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
    ['32 ascending', Buffer.from(Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e],
    ['32 descending', Buffer.from(Array.from({ length: 32 }, (_, index) => 31 - index)), 0x113fdb5c],
  ])('of %s', (_, bytes, expected) => expect(crc32c(bytes)).toBe(expected))

  it('covers a range of the buffer only', () => {
    const bytes = Buffer.from('xx123456789yy')
    expect(crc32c(bytes, 2, 11)).toBe(0xe3069283)
  })

  it('is the same whichever way it is computed', () => {
    for (const length of [1, 7, 8, 9, 511, 512, 513, 300_001]) {
      const bytes = Buffer.from(Array.from({ length }, (_, index) => (index * 31) & 0xff))
      expect(crc32c(bytes)).toBe(crc32cByTables(bytes, 0, length))
    }
  })
})
