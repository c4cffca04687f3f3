/**
 * Consumer groups, as Kafka's since KIP-848: members report what they own with each heartbeat, the coordinator moves
 * one partition after the other, and each member has an epoch of its own that fences its commits. The assignor is the
 * members' own function and runs here.
 */
import { logError, partitionName } from '../index.ts'
import type { Assignor, GroupMetadata, MemberAssignment, TopicPartition } from '../index.ts'
import type { Scheduler } from './scheduler.ts'

export interface Heartbeat {
  readonly group: string
  readonly memberId: string
  readonly instanceId: string | undefined
  /** The epoch the member was told last; 0 to join. */
  readonly epoch: number
  /** Grows with each heartbeat: one that was overtaken says nothing any more. */
  readonly sequence: number
  /** The version of the last reply it got: what it owns is said in knowledge of that one. */
  readonly told: number
  readonly topics: readonly string[]
  readonly owned: readonly TopicPartition[]
  readonly userData: Uint8Array
  readonly assignor: Assignor
  readonly sessionTimeoutMs: number
}

export interface HeartbeatReply {
  readonly epoch: number
  /** Grows with each reply to a member. */
  readonly version: number
  /** What the member may own now. */
  readonly partitions: readonly TopicPartition[]
  readonly userData: Uint8Array
}

interface Member {
  readonly memberId: string
  readonly instanceId: string | undefined
  readonly topics: readonly string[]
  readonly assignor: Assignor
  userData: Uint8Array
  epoch: number
  /** Still good for commits until the member is known to know the next one. */
  epochBefore: number | undefined
  sequence: number
  /** What it was told it may own, and what it said it owns: both by name. */
  granted: Map<string, TopicPartition>
  reported: Map<string, TopicPartition>
  /** What it is to give up, with the version of the first reply that says so: free once it answers to that. */
  readonly revoking: Map<string, { readonly partition: TopicPartition; readonly version: number }>
  version: number
  /** Virtual milliseconds. */
  expiresAt: number
}

interface Group {
  readonly members: Map<string, Member>
  epoch: number
  target: ReadonlyMap<string, MemberAssignment>
}

export class Groups {
  readonly #scheduler: Scheduler
  readonly #partitionsOf: (topic: string) => number | undefined
  readonly #groups = new Map<string, Group>()
  /** Whether commits are checked against the group: only a test that looks for the damage turns it off. */
  fencing = true

  constructor(scheduler: Scheduler, partitionsOf: (topic: string) => number | undefined) {
    this.#scheduler = scheduler
    this.#partitionsOf = partitionsOf
  }

  hasMembers(group: string): boolean {
    return (this.#groups.get(group)?.members.size ?? 0) > 0
  }

  /** KIP-447. Errors: LOG_FENCED. */
  check({ group, memberId, generation }: GroupMetadata): void {
    if (!this.fencing) return
    const members = this.#groups.get(group)?.members
    if (members === undefined || members.size === 0) {
      if (generation === -1 && memberId === '') return
      throw fenced(group, memberId, 'is not a member')
    }
    const member = members.get(memberId)
    if (member === undefined) throw fenced(group, memberId, 'is not a member')
    if (generation !== member.epoch && generation !== member.epochBefore) {
      throw fenced(group, memberId, `speaks for generation ${generation}, not ${member.epoch}`)
    }
  }

  /** Errors: LOG_FENCED (not a member any more). */
  heartbeat(beat: Heartbeat): HeartbeatReply {
    const group = this.#group(beat.group)
    const member = group.members.get(beat.memberId) ?? this.#join(group, beat)
    member.expiresAt = this.#scheduler.now + beat.sessionTimeoutMs
    if (beat.sequence > member.sequence) {
      member.sequence = beat.sequence
      member.reported = named(beat.owned)
      member.userData = beat.userData
      if (beat.epoch === member.epoch) member.epochBefore = undefined
      for (const [name, { version }] of member.revoking) {
        if (beat.told >= version && !member.reported.has(name)) member.revoking.delete(name)
      }
    }
    return this.#reconcile(group, member)
  }

  rebalance(name: string, memberId: string): void {
    const group = this.#group(name)
    if (group.members.has(memberId)) this.#rebalance(group)
  }

  leave(group: string, memberId: string): void {
    this.#remove(group, memberId)
  }

  removeInstance(name: string, instanceId: string): void {
    for (const member of this.#group(name).members.values())
      if (member.instanceId === instanceId) this.#remove(name, member.memberId)
  }

  /** A topic came or went. */
  topicsChanged(): void {
    for (const group of this.#groups.values()) if (group.members.size > 0) this.#rebalance(group)
  }

  /** The coordinator forgets its members; epochs go on, so that nobody's old one becomes good again. */
  forgetMembers(): void {
    for (const group of this.#groups.values()) group.members.clear()
  }

  #group(name: string): Group {
    const group = this.#groups.get(name) ?? { members: new Map(), epoch: 0, target: new Map() }
    this.#groups.set(name, group)
    return group
  }

  #join(group: Group, beat: Heartbeat): Member {
    const { memberId, instanceId, topics, assignor, userData } = beat
    if (beat.epoch !== 0 || beat.sequence !== 1) {
      const others = [...group.members.values()]
      const replaced = instanceId !== undefined && others.some((other) => other.instanceId === instanceId)
      throw fenced(beat.group, memberId, 'is not a member any more', { replaced })
    }
    for (const other of group.members.values()) {
      if (instanceId !== undefined && other.instanceId === instanceId) group.members.delete(other.memberId)
    }
    const member: Member = {
      memberId,
      instanceId,
      topics,
      assignor,
      userData,
      epoch: 0,
      epochBefore: undefined,
      sequence: 0,
      granted: new Map(),
      reported: new Map(),
      revoking: new Map(),
      version: 0,
      expiresAt: 0,
    }
    group.members.set(memberId, member)
    this.#rebalance(group)
    this.#expireLater(beat.group, member, beat.sessionTimeoutMs)
    return member
  }

  #expireLater(group: string, member: Member, delayMs: number): void {
    this.#scheduler.schedule(delayMs, undefined, 'session', () => {
      if (this.#groups.get(group)?.members.get(member.memberId) !== member) return
      const left = member.expiresAt - this.#scheduler.now
      if (left > 0) this.#expireLater(group, member, left)
      else this.#remove(group, member.memberId)
    })
  }

  #remove(name: string, memberId: string): void {
    const group = this.#group(name)
    if (group.members.delete(memberId)) this.#rebalance(group)
  }

  #rebalance(group: Group): void {
    group.epoch++
    const members = [...group.members.values()]
    const [first] = members
    if (first === undefined) return
    const counts = new Map<string, number>()
    for (const topic of members.flatMap(({ topics }) => topics)) {
      const partitions = this.#partitionsOf(topic)
      if (partitions !== undefined) counts.set(topic, partitions)
    }
    const subscriptions = members.map((member) => ({
      memberId: member.memberId,
      topics: member.topics,
      userData: member.userData,
      owned: [...heldBy(member).values()],
    }))
    group.target = first.assignor(subscriptions, counts)
  }

  #reconcile(group: Group, member: Member): HeartbeatReply {
    const target = group.target.get(member.memberId)
    const wanted = named(target?.partitions ?? [])
    const held = heldBy(member)
    const kept = new Map([...held].filter(([name]) => wanted.has(name)))
    const version = ++member.version
    for (const [name, partition] of held) {
      if (wanted.has(name)) member.revoking.delete(name)
      else if (!member.revoking.has(name)) member.revoking.set(name, { partition, version })
    }
    if (kept.size === held.size) {
      const others = [...group.members.values()].filter((other) => other !== member).map(heldBy)
      for (const [name, partition] of wanted) {
        if (others.every((other) => !other.has(name))) kept.set(name, partition)
      }
      if (member.epoch !== group.epoch) {
        member.epochBefore = member.epoch
        member.epoch = group.epoch
      }
    }
    member.granted = kept
    const userData = target?.userData ?? new Uint8Array()
    return { epoch: member.epoch, version, partitions: [...kept.values()], userData }
  }
}

/** Everything a member may be working on. */
function heldBy({ granted, reported, revoking }: Member): Map<string, TopicPartition> {
  const leaving = [...revoking].map(([name, { partition }]) => [name, partition] as const)
  return new Map([...granted, ...reported, ...leaving])
}

export function named(partitions: readonly TopicPartition[]): Map<string, TopicPartition> {
  return new Map(
    partitions.map(({ topic, partition }) => [partitionName({ topic, partition }), { topic, partition }]),
  )
}

function fenced(group: string, memberId: string, why: string, context: { replaced?: boolean } = {}): Error {
  return logError(
    'LOG_FENCED',
    `Member "${memberId}" of group ${group} ${why}. Drop what is uncommitted and join again.`,
    { context },
  )
}
