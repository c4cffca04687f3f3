import { expect, test } from 'vitest'
import { SeededRandom } from '#core'
import { TopologyBuilder, keyValueStore, output, utf8 } from '#topology'
import { taskAssignor } from './assignor.ts'
import { decodeAssignmentData, encodeAssignmentData, encodeFleet } from './assignment-data.ts'
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
    { id: '1_1', role: 'following', position: 9, lag: 300 },
  ],
}

test('what a member says arrives as it was said', () => {
  expect(decodeMemberData(encodeMemberData(member))).toEqual(member)
})

test('what a version without measured lags says is understood', () => {
  const tasks: MemberData['tasks'] = [{ id: '0_1', role: 'following', position: 7 }]
  // It ends with the tasks.
  const bytes = encodeMemberData({ ...member, tasks }).subarray(0, -1)
  expect(decodeMemberData(bytes)).toEqual({ ...member, tasks })
})

test('what it is told arrives as it was told', () => {
  const told = {
    standby: ['0_1'],
    warmUp: [],
    isProbing: true,
    members: [{ idPrefix: 'app-p-0', endPoint: '', active: ['0_0', '0_2'] }],
  }
  expect(decodeAssignmentData(encodeAssignmentData(told, encodeFleet(told.members)))).toEqual(told)
})

test('what nobody of ours has written is not understood', () => {
  const bytes = encodeMemberData(member)
  for (const strange of [new Uint8Array(), Uint8Array.of(99, 1), bytes.subarray(0, -3)]) {
    expect(decodeMemberData(strange)).toBeUndefined()
    expect(decodeAssignmentData(strange)).toBeUndefined()
  }
})

test('a broken list of members is not understood', () => {
  const said = encodeAssignmentData({ standby: [], warmUp: [], isProbing: false }, Buffer.from('no fleet'))
  expect(decodeAssignmentData(said)).toBeUndefined()
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

test('what a hundred processes with a thousand tasks say and are told fits into a record of the broker', () => {
  const random = new SeededRandom(5)
  const hex = (digits: number): string =>
    Array.from({ length: digits }, () => random.integer(0, 16).toString(16)).join('')
  const members = Array.from({ length: 100 }, (_, at) => {
    const processId = `${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-${hex(12)}`
    const said = { ...member, processId, idPrefix: `coupon-${processId}-0`, topologyHash: hex(16) }
    const userData = encodeMemberData({
      ...said,
      endPoint: `http://10.0.${at}.${random.integer(0, 256)}:8080`,
      tasks: [],
    })
    return { memberId: processId, topics: ['in'], userData, owned: [] }
  })
  const options = { standbys: 1, acceptableLag: 10_000, warmUpsMax: 2 }
  const told = taskAssignor(topology(), options)(members, new Map([['in', 1000]]))
  const bytes = [...told.values(), ...members].reduce((sum, { userData }) => sum + userData.length, 0)
  // Member ids, partitions and what is held come on top.
  expect(bytes).toBeLessThan(600_000)
})

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
