import { expect, test } from 'vitest'
import { ByteWriter } from '#core'
import { mergeSegments, runToMerge } from './segment-merge.ts'
import { SegmentCursor, entryFlag, segmentBytesMax } from './set-segment.ts'

/** `+a1` adds member a with value 1, `-a` removes it. */
function segment(text: string): Buffer {
  const out = new ByteWriter(64)
  for (const word of text.split(' ').filter(Boolean)) {
    out.u8(word.startsWith('-') ? entryFlag.removed : entryFlag.added)
    out.text(word.slice(1, 2))
    if (word.startsWith('+')) out.text(word.slice(2))
  }
  return out.toBuffer()
}

function textOf(bytes: Buffer | undefined): string | undefined {
  if (bytes === undefined) return undefined
  const words: string[] = []
  for (const cursor = new SegmentCursor(bytes); cursor.next();) {
    const member = bytes.toString('utf8', cursor.memberStart, cursor.memberEnd)
    words.push(
      cursor.removed
        ? `-${member}`
        : `+${member}${bytes.toString('utf8', cursor.valueStart, cursor.valueEnd)}`,
    )
  }
  return words.toSorted().join(' ')
}

test.each([
  ['the last entry of a member counts', ['+a1 +b1', '+a2'], false, '+a2 +b1'],
  ['a removal stays while something may lie below', ['+a1 +b1', '-a'], false, '+b1 -a'],
  ['and goes when nothing does', ['+a1 +b1', '-a -c'], true, '+b1'],
  ['a member added again is there', ['+a1', '-a', '+a3'], true, '+a3'],
  ['nothing may be left', ['+a1', '-a'], true, undefined],
])('%s', (_, values, lowest, result) => {
  expect(textOf(mergeSegments(values.map(segment), lowest))).toBe(result)
})

test.each([
  [[], undefined],
  [[100, 100, 100], undefined],
  [[100, 100, 100, 100], { from: 0, to: 4 }],
  [[1000, 100, 100, 100, 100], { from: 1, to: 5 }],
  [[400, 100, 100, 100, 100], { from: 1, to: 5 }],
  [[400, 100, 100, 100], undefined],
  [[segmentBytesMax, 10, 10, 10, 10, segmentBytesMax], { from: 1, to: 5 }],
])('of %j it merges %j', (sizes, run) => {
  expect(runToMerge(sizes)).toEqual(run)
})

test('a byte is rewritten at most seven times, and few segments remain', () => {
  const sizes: number[] = []
  let written = 0
  let merged = 0
  for (let transaction = 0; transaction < 40_000; transaction++) {
    sizes.push(30)
    written += 30
    for (let run = runToMerge(sizes); run !== undefined; run = runToMerge(sizes)) {
      const size = sizes.slice(run.from, run.to).reduce((sum, part) => sum + part, 0)
      expect(size).toBeLessThanOrEqual(segmentBytesMax)
      sizes.splice(run.from, run.to - run.from, size)
      merged += size
    }
  }
  expect(merged / written).toBeLessThan(7)
  expect(sizes.filter((size) => size < segmentBytesMax / 4).length).toBeLessThan(25)
})
