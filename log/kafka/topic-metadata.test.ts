import { expect, it } from 'vitest'
import { newest } from './topic-metadata.ts'

const heard = (leader: number, leaderEpoch: number, partition = 0) => {
  return { code: 0, partition, leader, leaderEpoch, replicas: [1, 2, 3] }
}
const led = (leader: number, leaderEpoch: number) => ({ leader, leaderEpoch, replicas: 3 })

it('puts partitions in their places, whatever their order', () => {
  expect(newest(undefined, 'a', [heard(2, 5, 1), heard(1, 4, 0)])).toEqual({
    topicId: 'a',
    partitions: [led(1, 4), led(2, 5)],
  })
})

it('follows a leader that moved, and one that is gone', () => {
  const before = newest(undefined, 'a', [heard(1, 4)])
  expect(newest(before, 'a', [heard(2, 5)]).partitions).toEqual([led(2, 5)])
  expect(newest(before, 'a', [heard(-1, 5)]).partitions).toEqual([led(-1, 5)])
  // Without a leader in between, its epoch stays.
  expect(newest(before, 'a', [heard(-1, 4)]).partitions).toEqual([led(-1, 4)])
})

it('does not go back to a leader that a broker behind the times still names', () => {
  const before = newest(undefined, 'a', [heard(2, 5)])
  expect(newest(before, 'a', [heard(1, 4)]).partitions).toEqual([led(2, 5)])
})

it('believes everything of a topic that was made again', () => {
  const before = newest(undefined, 'a', [heard(2, 5), heard(2, 5, 1)])
  expect(newest(before, 'b', [heard(1, 0)])).toEqual({ topicId: 'b', partitions: [led(1, 0)] })
})
