import { expect, test } from 'vitest'
import { TopologyBuilder, keyValueStore, output, utf8 } from '#topology'
import { taskAssignor } from './assignor.ts'
import { decodeAssignmentData, encodeAssignmentData } from './assignment-data.ts'
import { decodeMemberData, encodeMemberData } from './member-data.ts'
import type { MemberData } from './member-data.ts'

const member: MemberData = {
  processId: 'p',
  idPrefix: 'app-p-0',
  capacity: 1,
  endPoint: 'http://here:1',
  topologyHash: 'abc',
  tasks: [
    { id: '0_0', role: 'active', position: 2 ** 40 },
    { id: '0_1', role: 'following', position: 0 },
    { id: '1_0', role: 'stored', position: 7 },
  ],
}

test('what a member says arrives as it was said', () => {
  expect(decodeMemberData(encodeMemberData(member))).toEqual(member)
})

test('what it is told arrives as it was told', () => {
  const told = {
    standby: ['0_1'],
    warmUp: [],
    isProbing: true,
    members: [{ idPrefix: 'app-p-0', endPoint: '', active: ['0_0', '0_2'] }],
  }
  expect(decodeAssignmentData(encodeAssignmentData(told))).toEqual(told)
})

test('what nobody of ours has written is not understood', () => {
  const bytes = encodeMemberData(member)
  for (const strange of [new Uint8Array(), Uint8Array.of(99, 1), bytes.subarray(0, -3)]) {
    expect(decodeMemberData(strange)).toBeUndefined()
    expect(decodeAssignmentData(strange)).toBeUndefined()
  }
})

/** One subtopology with state on `in`. */
function topology(): ReturnType<TopologyBuilder['build']> {
  const builder = new TopologyBuilder()
  const seen = keyValueStore({ name: 'seen', key: utf8, value: utf8 })
  const { out } = builder.processor({
    name: 'see',
    from: builder.source({ name: 'source', topics: ['in'], key: utf8, value: utf8 }),
    stores: { seen },
    outputs: { out: output<string, string>() },
    init: ({ emit }) => ({ process: ({ key, value }) => emit.out(key, value) }),
  })
  builder.sink({ name: 'sink', from: out, topic: 'out', key: utf8, value: utf8 })
  return builder.build()
}

test('members learn of their standbys, of each other, and that another round is due', () => {
  const assign = taskAssignor(topology(), { standbys: 1, acceptableLag: 10, warmUpsMax: 1 })
  const say = (idPrefix: string, tasks: MemberData['tasks']): Uint8Array =>
    encodeMemberData({ ...member, processId: idPrefix, idPrefix, endPoint: `http://${idPrefix}`, tasks })
  const held = [0, 1].map((partition) => ({ id: `0_${partition}`, role: 'active' as const, position: 1000 }))
  const assignment = assign(
    [
      {
        memberId: 'old-member',
        topics: ['in'],
        userData: say('old', held),
        owned: [0, 1].map((partition) => ({ topic: 'in', partition })),
      },
      { memberId: 'new-member', topics: ['in'], userData: say('new', []), owned: [] },
      // Runs another version, which does not read this.
      { memberId: 'other', topics: ['elsewhere'], userData: new Uint8Array(), owned: [] },
    ],
    new Map([['in', 2]]),
  )
  const { partitions, userData } = assignment.get('new-member') ?? {
    partitions: [],
    userData: new Uint8Array(),
  }
  expect(partitions).toEqual([])
  expect(assignment.get('old-member')?.partitions.length).toBe(2)
  expect(assignment.get('other')?.partitions).toEqual([])
  const told = decodeAssignmentData(userData)
  expect([...(told?.standby ?? []), ...(told?.warmUp ?? [])].toSorted()).toEqual(['0_0', '0_1'])
  expect(told?.warmUp.length).toBe(1)
  expect(told?.isProbing).toBe(true)
  expect(told?.members).toEqual([
    { idPrefix: 'new', endPoint: 'http://new', active: [] },
    { idPrefix: 'old', endPoint: 'http://old', active: ['0_0', '0_1'] },
    { idPrefix: 'other', endPoint: '', active: [] },
  ])
})
