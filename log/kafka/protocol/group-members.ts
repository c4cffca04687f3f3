/** The classic group protocol (KIP-62, KIP-345, KIP-394): a group agrees on a generation, and its leader on who does what. */
import type { Api } from './wire.ts'

interface JoinGroupRequest {
  readonly group: string
  readonly sessionTimeoutMs: number
  /** How long the coordinator waits for the others once a generation is being made. */
  readonly rebalanceTimeoutMs: number
  /** Empty for a new member. */
  readonly memberId: string
  readonly instanceId: string | undefined
  readonly protocolType: string
  readonly protocolName: string
  /** What the leader gets to see. */
  readonly subscription: Buffer
  /** For the broker's log. */
  readonly reason: string
}

export interface JoinGroupAnswer {
  readonly code: number
  readonly generation: number
  readonly leader: string
  /** The leader came back under its instance id, and the assignment that is in force stays (KIP-814). */
  readonly skipAssignment: boolean
  readonly memberId: string
  /** Only for the leader. */
  readonly members: readonly {
    readonly memberId: string
    readonly instanceId: string | null
    readonly subscription: Buffer
  }[]
}

/** It is answered once all members have joined, or their time to do so is up. */
export const joinGroup: Api<JoinGroupRequest, JoinGroupAnswer> = {
  key: 11,
  version: 9,
  name: 'JoinGroup',
  encode(out, request) {
    out.string(request.group)
    out.i32(request.sessionTimeoutMs)
    out.i32(request.rebalanceTimeoutMs)
    out.string(request.memberId)
    out.string(request.instanceId ?? null)
    out.string(request.protocolType)
    out.array([request], ({ protocolName, subscription }) => {
      out.string(protocolName)
      out.attach(subscription)
    })
    out.string(request.reason)
    out.tags()
  },
  decode(from) {
    from.i32()
    const code = from.i16()
    const generation = from.i32()
    from.nullableString()
    from.nullableString()
    const leader = from.string()
    const skipAssignment = from.bool()
    const memberId = from.string()
    const members = from.array(() => ({
      memberId: from.string(),
      instanceId: from.nullableString(),
      subscription: from.bytes(),
    }))
    from.tags()
    return { code, generation, leader, skipAssignment, memberId, members }
  },
}

interface SyncGroupRequest {
  readonly group: string
  readonly generation: number
  readonly memberId: string
  readonly instanceId: string | undefined
  readonly protocolType: string
  readonly protocolName: string
  /** From the leader; empty from everybody else. */
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[]
}

/** It is answered once the leader has said who does what. */
export const syncGroup: Api<SyncGroupRequest, { readonly code: number; readonly assignment: Buffer }> = {
  key: 14,
  version: 5,
  name: 'SyncGroup',
  encode(out, request) {
    out.string(request.group)
    out.i32(request.generation)
    out.string(request.memberId)
    out.string(request.instanceId ?? null)
    out.string(request.protocolType)
    out.string(request.protocolName)
    out.array(request.assignments, ({ memberId, assignment }) => {
      out.string(memberId)
      out.attach(assignment)
    })
    out.tags()
  },
  decode(from) {
    from.i32()
    const code = from.i16()
    from.nullableString()
    from.nullableString()
    const assignment = from.bytes()
    from.tags()
    return { code, assignment }
  },
}

export interface HeartbeatRequest {
  readonly group: string
  readonly generation: number
  readonly memberId: string
  readonly instanceId: string | undefined
}

export const heartbeat: Api<HeartbeatRequest, { readonly code: number }> = {
  key: 12,
  version: 4,
  name: 'Heartbeat',
  encode(out, { group, generation, memberId, instanceId }) {
    out.string(group)
    out.i32(generation)
    out.string(memberId)
    out.string(instanceId ?? null)
    out.tags()
  },
  decode(from) {
    from.i32()
    const code = from.i16()
    from.tags()
    return { code }
  },
}

interface LeaveGroupRequest {
  readonly group: string
  /** Empty: whoever has the instance id (KIP-345). */
  readonly memberId: string
  readonly instanceId: string | undefined
  readonly reason: string
}

/** Takes one member out; its partitions are free at once. */
export const leaveGroup: Api<LeaveGroupRequest, { readonly code: number }> = {
  key: 13,
  version: 5,
  name: 'LeaveGroup',
  encode(out, { group, memberId, instanceId, reason }) {
    out.string(group)
    out.array([memberId], (id) => {
      out.string(id)
      out.string(instanceId ?? null)
      out.string(reason)
    })
    out.tags()
  },
  decode(from) {
    from.i32()
    const code = from.i16()
    const members = from.array(() => {
      from.string()
      from.nullableString()
      return from.i16()
    })
    from.tags()
    return { code: code === 0 ? (members[0] ?? 0) : code }
  },
}

/** The state of a group, by Kafka's names: Empty, Dead, Stable, PreparingRebalance, CompletingRebalance. */
export const describeGroup: Api<
  { readonly group: string },
  { readonly code: number; readonly state: string; readonly memberIds: readonly string[] }
> = {
  key: 15,
  version: 5,
  name: 'DescribeGroups',
  encode(out, { group }) {
    out.primitives([group], (name) => out.string(name))
    out.bool(false)
    out.tags()
  },
  decode(from) {
    from.i32()
    const groups = from.array(() => {
      const code = from.i16()
      from.string()
      const state = from.string()
      from.string()
      from.string()
      const memberIds = from.array(() => {
        const memberId = from.string()
        from.nullableString()
        from.string()
        from.string()
        from.bytes()
        from.bytes()
        return memberId
      })
      from.i32()
      return { code, state, memberIds }
    })
    from.tags()
    return groups[0] ?? { code: 0, state: 'Dead', memberIds: [] }
  },
}
