import { expect, test } from 'vitest'
import { whyUnusable } from './checkpoint.ts'

const checkpoint = { clusterId: 'c', topicId: 't', offset: 50, writtenAt: 1000 }
const changelog = { clusterId: 'c', topicId: 't', start: 10, end: 100, deleteRetentionMs: 600 }

test('a checkpoint inside its own changelog can be continued from', () => {
  expect(whyUnusable(checkpoint, changelog, 1000)).toBe(undefined)
  expect(whyUnusable({ ...checkpoint, offset: 10 }, changelog, 1000)).toBe(undefined)
  expect(whyUnusable({ ...checkpoint, offset: 100 }, changelog, 1300)).toBe(undefined)
})

test.each([
  ['another log', { clusterId: 'x' }, 1000, /another log/],
  ['a topic created again', { topicId: 'x' }, 1000, /created again/],
  ['past the end', { offset: 101 }, 1000, /ends at changelog offset 101/],
  ['before the start', { offset: 9 }, 1000, /begins at 10/],
  ['too old', {}, 1301, /301 ms old/],
])('%s: not', (_, change, now, why) => {
  expect(whyUnusable({ ...checkpoint, ...change }, changelog, now)).toMatch(why)
})
