/** Requests and answers against bytes written by hand after Kafka's message definitions. */
import { describe, expect, it } from 'vitest'
import { describeGroup, heartbeat, joinGroup, leaveGroup, syncGroup } from './group-members.ts'
import { AnswerReader, RequestWriter } from './wire.ts'
import type { Api } from './wire.ts'

const plain = (hex: string): string => hex.replaceAll(/\s/g, '')

function encoded<Request>(api: Api<Request, unknown>, request: Request): string {
  const out = new RequestWriter(4)
  api.encode(out, request)
  return Buffer.concat(out.chunks()).toString('hex')
}

/** Reads the whole answer: a byte left over means that a field was missed. */
function decoded<Answer>(api: Api<never, Answer>, hex: string): Answer {
  const from = new AnswerReader(Buffer.from(plain(hex), 'hex'))
  const answer = api.decode(from)
  expect(from.remaining).toBe(0)
  return answer
}

const protocol = { protocolType: 'c', protocolName: 'p' }

describe('requests', () => {
  it('JoinGroup version 9', () => {
    const request = {
      group: 'g',
      sessionTimeoutMs: 6000,
      rebalanceTimeoutMs: 30_000,
      memberId: '',
      instanceId: 'i',
      ...protocol,
      subscription: Buffer.from('aabb', 'hex'),
      reason: 'r',
    }
    expect(encoded(joinGroup, request)).toBe(
      plain('02 67 00001770 00007530 01 02 69 02 63 02 02 70 03 aabb 00 02 72 00'),
    )
    expect(encoded(joinGroup, { ...request, memberId: 'm', instanceId: undefined })).toBe(
      plain('02 67 00001770 00007530 02 6d 00 02 63 02 02 70 03 aabb 00 02 72 00'),
    )
  })

  it('SyncGroup version 5', () => {
    const assignments = [{ memberId: 'm', assignment: Buffer.from('cc', 'hex') }]
    const request = {
      group: 'g',
      generation: 3,
      memberId: 'm',
      instanceId: undefined,
      ...protocol,
      assignments,
    }
    expect(encoded(syncGroup, request)).toBe(
      plain('02 67 00000003 02 6d 00 02 63 02 70 02 02 6d 02 cc 00 00'),
    )
  })

  it('Heartbeat version 4', () => {
    const request = { group: 'g', generation: -1, memberId: 'm', instanceId: 'i' }
    expect(encoded(heartbeat, request)).toBe(plain('02 67 ffffffff 02 6d 02 69 00'))
  })

  it('LeaveGroup version 5', () => {
    const request = { group: 'g', memberId: 'm', instanceId: undefined, reason: 'r' }
    expect(encoded(leaveGroup, request)).toBe(plain('02 67 02 02 6d 00 02 72 00 00'))
  })

  it('DescribeGroups version 5', () => {
    expect(encoded(describeGroup, { group: 'g' })).toBe(plain('02 02 67 00 00'))
  })
})

describe('answers', () => {
  it('JoinGroup version 9', () => {
    const members = '02 02 6d 00 03 aabb 00'
    expect(decoded(joinGroup, `00000000 0000 00000007 02 63 02 70 02 6d 01 02 6d ${members} 00`)).toEqual({
      code: 0,
      generation: 7,
      leader: 'm',
      skipAssignment: true,
      memberId: 'm',
      members: [{ memberId: 'm', instanceId: null, subscription: Buffer.from('aabb', 'hex') }],
    })
    expect(decoded(joinGroup, '00000000 004f ffffffff 00 00 01 00 02 6e 01 00')).toMatchObject({
      code: 79,
      memberId: 'n',
      members: [],
    })
  })

  it('SyncGroup version 5', () => {
    expect(decoded(syncGroup, '00000000 0000 02 63 02 70 02 cc 00')).toEqual({
      code: 0,
      assignment: Buffer.from('cc', 'hex'),
    })
  })

  it('Heartbeat version 4', () => {
    expect(decoded(heartbeat, '00000000 001b 00')).toEqual({ code: 27 })
  })

  it('LeaveGroup version 5: the code of the request, else that of the member', () => {
    expect(decoded(leaveGroup, '00000000 0010 01 00')).toEqual({ code: 16 })
    expect(decoded(leaveGroup, '00000000 0000 02 02 6d 00 0019 00 00')).toEqual({ code: 25 })
  })

  it('DescribeGroups version 5', () => {
    const member = '02 6d 00 01 01 02 aa 02 bb 00'
    const group = `0000 02 67 02 53 02 63 02 70 02 ${member} 80000000 00`
    expect(decoded(describeGroup, `00000000 02 ${group} 00`)).toEqual({
      code: 0,
      state: 'S',
      memberIds: ['m'],
    })
  })
})
