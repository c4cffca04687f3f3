import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { everyPartition, partitionName } from '#log'
import type { MemberSubscription, TopicPartition } from '#log'
import { copying } from '../testing/copying.ts'
import { readTogether } from '../testing/read-together.ts'
import { taskAssignor } from './assignor.ts'
import { encodeMemberData } from './member-data.ts'
import type { MemberData } from './member-data.ts'

const assign = taskAssignor(readTogether(), { standbys: 0, acceptableLag: 10_000, warmUpsMax: 2 })
const member = (memberId: string, owned: readonly TopicPartition[] = []): MemberSubscription => ({
  memberId,
  topics: ['left', 'right', 'alone'],
  userData: new Uint8Array(0),
  owned,
})

test('partitions of one task go to one member', () => {
  const assignment = assign(
    [member('a'), member('b')],
    new Map([
      ['left', 3],
      ['right', 3],
      ['alone', 0],
    ]),
  )
  for (const { partitions } of assignment.values()) {
    const numbers = (topic: string): number[] =>
      partitions.filter((each) => each.topic === topic).map(({ partition }) => partition)
    expect(numbers('left')).toEqual(numbers('right'))
  }
})

test('whatever members own: every partition has one owner, loads differ by one task, the order of members is no matter', () => {
  const counts = fc.record({ pairs: fc.nat(12), alone: fc.nat(12) })
  const ids = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1 })
  fc.assert(
    fc.property(counts, ids, fc.infiniteStream(fc.nat(6)), ({ pairs, alone }, memberIds, owners) => {
      const partitionCounts = new Map([
        ['left', pairs],
        ['right', pairs],
        ['alone', alone],
      ])
      const owned = new Map<string, TopicPartition[]>(memberIds.map((id) => [id, []]))
      for (const [topic, count] of partitionCounts) {
        for (let partition = 0; partition < count; partition++) {
          const owner = memberIds[owners.next().value as number]
          if (owner !== undefined) owned.get(owner)?.push({ topic, partition })
        }
      }
      const members = memberIds.map((id) => member(id, owned.get(id)))
      const assignment = assign(members, partitionCounts)
      const given = [...assignment.values()].flatMap(({ partitions }) => partitions.map(partitionName))
      const all = [...partitionCounts].flatMap(([topic, count]) =>
        everyPartition(topic, count).map(partitionName),
      )
      expect(given.toSorted()).toEqual(all.toSorted())
      const loads = [...assignment.values()].map(
        ({ partitions }) => partitions.filter(({ topic }) => topic !== 'right').length,
      )
      expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1)
      expect(assign(members.toReversed(), partitionCounts)).toEqual(assignment)
    }),
    { seed: 1 },
  )
})

test('a member keeps what it owns when another joins or leaves', () => {
  const counts = new Map([
    ['left', 0],
    ['right', 0],
    ['alone', 6],
  ])
  const owned = (from: number, to: number): TopicPartition[] =>
    Array.from({ length: to - from }, (_, at) => ({ topic: 'alone', partition: from + at }))
  const joined = assign([member('a', owned(0, 6)), member('b')], counts)
  expect(joined.get('a')?.partitions).toEqual(owned(0, 3))
  const left = assign([member('a', owned(0, 3))], counts)
  expect(left.get('a')?.partitions).toEqual(owned(0, 6))
})

/** Four tasks with state, all run by one member, two of them followed by another. */
function warmedUp(lag: number | undefined): readonly TopicPartition[] | undefined {
  const say = (memberId: string, tasks: MemberData['tasks'], owned: readonly TopicPartition[]) => ({
    memberId,
    topics: ['in'],
    userData: encodeMemberData({
      processId: memberId,
      idPrefix: memberId,
      capacity: 1,
      endPoint: '',
      topologyHash: 'abc',
      tasks,
    }),
    owned,
  })
  const owned = everyPartition('in', 4)
  const run = owned.map(({ partition }) => ({
    id: `0_${partition}`,
    role: 'active' as const,
    position: 1_000_000,
  }))
  const followed = [2, 3].map((partition) => ({
    id: `0_${partition}`,
    role: 'following' as const,
    position: 985_000,
    lag,
  }))
  return taskAssignor(copying(), { standbys: 0, acceptableLag: 10_000, warmUpsMax: 2 })(
    [say('owner', run, owned), say('follower', followed, [])],
    new Map([['in', 4]]),
  ).get('follower')?.partitions
}

test('a task moves to who is hardly behind it, however much its owner has written before it joined', () => {
  expect(warmedUp(undefined)).toEqual([])
  expect(warmedUp(10_001)).toEqual([])
  expect(warmedUp(500)).toEqual(everyPartition('in', 4).slice(2))
})
