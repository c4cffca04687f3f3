import { expect, test } from 'vitest'
import type { Assignor, TopicPartition } from '../../index.ts'
import { assignmentsOf, unchanged } from './leader.ts'
import type { Member } from './leader.ts'

const place = (partition: number): TopicPartition => ({ topic: 't', partition })
const member = (memberId: string, owned: readonly number[] = [], generation = 1): Member => ({
  memberId,
  topics: ['t'],
  userData: new Uint8Array(),
  owned: owned.map(place),
  generation,
})
/** Gives what is said, whatever there is. */
const gives =
  (shares: Readonly<Record<string, readonly number[]>>): Assignor =>
  () =>
    new Map(
      Object.entries(shares).map(([id, numbers]) => [
        id,
        { partitions: numbers.map(place), userData: new Uint8Array() },
      ]),
    )
const counts = new Map([['t', 4]])

function numbersOf(shares: ReturnType<typeof assignmentsOf>): Record<string, number[]> {
  return Object.fromEntries(
    [...shares].map(([id, { partitions }]) => [id, partitions.map(({ partition }) => partition)]),
  )
}

test('what another one still owns is withheld until it has given it back', () => {
  const wanted = gives({ a: [0, 1], b: [2, 3] })
  const first = assignmentsOf([member('a', [0, 1, 2, 3]), member('b')], counts, wanted)
  expect(numbersOf(first)).toEqual({ a: [0, 1], b: [] })
  const second = assignmentsOf([member('a', [0, 1]), member('b')], counts, wanted)
  expect(numbersOf(second)).toEqual({ a: [0, 1], b: [2, 3] })
})

test('what two claim goes to neither, and the assignor hears of the later claim', () => {
  const seen: Record<string, number[]> = {}
  const assignor: Assignor = (members, partitionCounts) => {
    for (const { memberId, owned } of members) seen[memberId] = owned.map(({ partition }) => partition)
    return gives({ a: [0, 1], b: [2] })(members, partitionCounts)
  }
  const shares = assignmentsOf([member('a', [0, 1], 5), member('b', [1, 2], 6)], counts, assignor)
  expect(numbersOf(shares)).toEqual({ a: [0], b: [2] })
  expect(seen).toEqual({ a: [0], b: [1, 2] })
})

test('an assignment that cannot be is refused', () => {
  const members = [member('a'), member('b')]
  expect(() => assignmentsOf(members, counts, gives({ a: [0], b: [0] }))).toThrow('given to two members')
  expect(() => assignmentsOf(members, counts, gives({ c: [0] }))).toThrow('c is not a member')
})

test('without an answer everybody keeps what only it claims', () => {
  expect(numbersOf(unchanged([member('a', [0, 1]), member('b', [1, 2])]))).toEqual({ a: [0], b: [2] })
})
