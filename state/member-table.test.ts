import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteWriter } from '#core'
import { MemberHash } from './member-hash.ts'
import { MemberTable } from './member-table.ts'
import { SegmentCursor, entryFlag } from './set-segment.ts'

function entry(member: Buffer, value: Buffer): SegmentCursor {
  const out = new ByteWriter(64)
  out.u8(entryFlag.added)
  out.uvarint(member.length)
  out.bytes(member)
  out.uvarint(value.length)
  out.bytes(value)
  const cursor = new SegmentCursor(out.toBuffer())
  cursor.next()
  return cursor
}

function valueOf(table: MemberTable, hash: number, member: Buffer): string | undefined {
  if (!table.find(hash, member, 0, member.length)) return undefined
  return table.buffer.toString('latin1', table.valueStart, table.valueEnd)
}

test('behaves like a Map, with hashes that collide and wrap around', () => {
  const member = fc.integer({ min: 0, max: 60 })
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ member, size: fc.integer({ min: 0, max: 400 }) }) },
    { weight: 2, arbitrary: fc.record({ member }) },
  )
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 300, size: 'max' }),
      fc.constantFrom(1, 3, 7),
      (steps, places) => {
        const table = new MemberTable()
        const model = new Map<number, string>()
        // All in a few places at the end of the slots, so that runs wrap.
        const hashOf = (number: number): number => 0xffff_fff8 + (number % places)
        const bytesOf = (number: number): Buffer => Buffer.from(`member ${number}`)
        for (const [at, command] of steps.entries()) {
          const bytes = bytesOf(command.member)
          if ('size' in command) {
            const value = Buffer.alloc(command.size, at)
            table.set(hashOf(command.member), entry(bytes, value))
            model.set(command.member, value.toString('latin1'))
          } else {
            table.delete(hashOf(command.member), bytes, 0, bytes.length)
            model.delete(command.member)
          }
        }
        expect(table.count).toBe(model.size)
        for (let number = 0; number <= 60; number++) {
          expect(valueOf(table, hashOf(number), bytesOf(number))).toBe(model.get(number))
        }
        expect([...table.walk()]).toHaveLength(model.size)
      },
    ),
    { seed: 3, numRuns: 300 },
  )
})

test('replacing values over and over takes no more memory than a few of them', () => {
  const table = new MemberTable()
  for (let round = 0; round < 10_000; round++) table.set(1, entry(Buffer.from('m'), Buffer.alloc(500, round)))
  expect(table.byteLength).toBeLessThan(100_000)
})

test('an entry larger than any buffer so far is kept whole', () => {
  const table = new MemberTable()
  table.set(1, entry(Buffer.from('small'), Buffer.from('1')))
  table.set(2, entry(Buffer.from('large'), Buffer.alloc(300_000, 'x')))
  table.set(3, entry(Buffer.from('after'), Buffer.from('3')))
  expect(valueOf(table, 2, Buffer.from('large'))).toBe('x'.repeat(300_000))
  expect(valueOf(table, 1, Buffer.from('small'))).toBe('1')
  expect(valueOf(table, 3, Buffer.from('after'))).toBe('3')
})

test('two million members of 12 bytes with values of 12 bytes fit into 100 MiB', () => {
  // One shard of 256, since all are alike.
  const count = Math.ceil(2_000_000 / 256)
  const table = new MemberTable()
  const hashes = new MemberHash(Buffer.from('12345678'))
  for (let number = 0; number < count; number++) {
    const member = Buffer.from(`user${String(number).padStart(8, '0')}`)
    table.set(hashes.of(member, 0, member.length), entry(member, Buffer.from('twelve bytes')))
  }
  expect(table.count).toBe(count)
  expect(table.byteLength * 256).toBeLessThan(100 << 20)
})

test('the hash depends on the seed, the length and every byte', () => {
  const hash = new MemberHash(Buffer.from('12345678'))
  const other = new MemberHash(Buffer.from('12345679'))
  const bytes = Buffer.from('0123456789abcdef')
  const seen = new Set<number>()
  for (let end = 0; end <= bytes.length; end++) {
    seen.add(hash.of(bytes, 0, end))
    seen.add(other.of(bytes, 0, end))
    if (end === 0) continue
    const changed = Buffer.from(bytes)
    changed[end - 1] = 0
    seen.add(hash.of(changed, 0, bytes.length))
  }
  expect(seen.size).toBe(17 + 17 + 16)
  expect(hash.of(Buffer.from('xx0123'), 2, 6)).toBe(hash.of(Buffer.from('0123'), 0, 4))
})
