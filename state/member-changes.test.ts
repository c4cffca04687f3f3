import { ByteWriter } from '#core'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { MemberChanges } from './member-changes.ts'
import { MemberHash } from './member-hash.ts'
import { SegmentCursor } from './set-segment.ts'

const hashes = new MemberHash(Buffer.from('01234567'))

function written(text: string): ByteWriter {
  const out = new ByteWriter(4)
  out.utf8(text)
  return out
}

function write(changes: MemberChanges, member: string, value: string | undefined): void {
  const bytes = written(member)
  const hash = hashes.of(bytes.buffer, 0, bytes.length)
  changes.write(hash, bytes, value === undefined ? undefined : written(value))
}

/** undefined: not written; null: removed. */
function read(changes: MemberChanges, member: string): string | null | undefined {
  const bytes = Buffer.from(member)
  if (!changes.find(hashes.of(bytes, 0, bytes.length), bytes, bytes.length)) return undefined
  return changes.removed ? null : changes.buffer.toString('utf8', changes.valueStart, changes.valueEnd)
}

/** The fold of the entries, as whoever reads the segment makes it. */
function fold(changes: MemberChanges): Map<string, string | null> {
  const found = new Map<string, string | null>()
  const cursor = new SegmentCursor(Buffer.from(changes.view()))
  while (cursor.next()) {
    const { buffer, removed, memberStart, memberEnd, valueStart, valueEnd } = cursor
    const value = removed ? null : buffer.toString('utf8', valueStart, valueEnd)
    found.set(buffer.toString('utf8', memberStart, memberEnd), value)
  }
  return found
}

const member = fc.oneof(fc.nat(40).map(String), fc.string({ maxLength: 200 }))
const value = fc.option(fc.string({ maxLength: 300 }), { nil: undefined })
const record = fc.record({
  writes: fc.array(fc.tuple(member, value), { maxLength: 30 }),
  fails: fc.boolean(),
})

it('behaves like a Map, also after records that were taken back and in another transaction', () => {
  fc.assert(
    fc.property(fc.array(fc.array(record, { maxLength: 6 }), { maxLength: 3 }), (transactions) => {
      const changes = new MemberChanges(hashes)
      for (const records of transactions) {
        const expected = new Map<string, string | null>()
        const seen = new Set<string>()
        for (const { writes, fails } of records) {
          const before = changes.byteLength
          for (const [name, text] of writes) {
            seen.add(name)
            write(changes, name, text)
            if (!fails) expected.set(name, text ?? null)
          }
          if (fails) changes.rollback(before)
        }
        for (const name of seen) expect(read(changes, name)).toBe(expected.get(name))
        expect(fold(changes)).toEqual(expected)
        expect(changes.recycle()).toBe(true)
        expect(changes.byteLength).toBe(0)
      }
    }),
  )
})
