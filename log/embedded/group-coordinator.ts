import { randomUUID } from 'node:crypto'
import type { Logger } from '#core'
import { logError } from '../index.ts'
import type { GroupMetadata } from '../index.ts'
import type { GroupEvent, GroupReply, JoinGroupRequest } from './broker-api.ts'
import { GroupMember } from './group-member.ts'
import { Group } from './group.ts'

/**
 * The groups with members. A member lives as long as its session: there are no heartbeats, a thread that ended has
 * closed its port. Groups without members keep nothing but their committed offsets.
 */
export class GroupCoordinator {
  readonly #partitionsOf: (topic: string) => number | undefined
  readonly #logger: Logger
  readonly #groups = new Map<string, Group>()
  readonly #members = new Map<
    string,
    { readonly group: Group; readonly member: GroupMember; readonly name: string }
  >()

  constructor(partitionsOf: (topic: string) => number | undefined, logger: Logger) {
    this.#partitionsOf = partitionsOf
    this.#logger = logger
  }

  hasMembers(group: string): boolean {
    return this.#groups.has(group)
  }

  /**
   * KIP-447: offsets come from a member of the current generation, or from nobody's member (-1, '') while the group
   * is empty. Errors: LOG_FENCED.
   */
  check(metadata: GroupMetadata): void {
    const group = this.#groups.get(metadata.group)
    if (group === undefined) {
      if (metadata.generation === -1 && metadata.memberId === '') return
      throw fenced(metadata, 'is not a member')
    }
    const member = group.members.find((one) => one.memberId === metadata.memberId)
    if (member === undefined) throw fenced(metadata, 'is not a member')
    if (!member.speaksFor(metadata.generation)) throw fenced(metadata, `speaks for an older generation`)
  }

  join(request: JoinGroupRequest, session: object): { readonly memberId: string } {
    let group = this.#groups.get(request.group)
    if (group === undefined) {
      group = new Group({ name: request.group, partitionsOf: this.#partitionsOf, logger: this.#logger })
      this.#groups.set(request.group, group)
    }
    const former = memberOf(group, request.instanceId)
    const member = new GroupMember({ ...request, memberId: `${request.group}-${randomUUID()}`, session })
    this.#members.set(member.memberId, { group, member, name: request.group })
    group.add(member)
    if (former !== undefined) void this.#replace(group, former)
    return { memberId: member.memberId }
  }

  async next(memberId: string, reply: GroupReply | undefined): Promise<GroupEvent> {
    const found = this.#members.get(memberId)
    return found === undefined ? { kind: 'end' } : found.member.next(reply)
  }

  async leave(memberId: string): Promise<void> {
    const found = this.#members.get(memberId)
    if (found === undefined) return
    await found.group.leave(found.member)
    this.#forget(memberId)
  }

  async removeInstance(name: string, instanceId: string): Promise<void> {
    const group = this.#groups.get(name)
    const member = group && memberOf(group, instanceId)
    if (group !== undefined && member !== undefined) await this.#replace(group, member)
  }

  rebalance(memberId: string): void {
    this.#members.get(memberId)?.group.rebalance()
  }

  isMember(memberId: string): boolean {
    const member = this.#members.get(memberId)?.member
    return member !== undefined && !member.gone && !member.leaving
  }

  /** A topic came: members that subscribe to it get its partitions. */
  topicsChanged(names: ReadonlySet<string>): void {
    for (const group of this.#groups.values()) {
      if (group.members.some((member) => member.topics.some((topic) => names.has(topic)))) group.rebalance()
    }
  }

  endSession(session: object): void {
    for (const [memberId, { group, member }] of this.#members) {
      if (member.session !== session) continue
      group.remove(member)
      this.#forget(memberId)
    }
  }

  async #replace(group: Group, former: GroupMember): Promise<void> {
    await group.replace(former)
    this.#forget(former.memberId)
  }

  #forget(memberId: string): void {
    const found = this.#members.get(memberId)
    if (found === undefined) return
    this.#members.delete(memberId)
    if (found.group.members.length === 0 && this.#groups.get(found.name) === found.group) {
      this.#groups.delete(found.name)
    }
  }
}

function memberOf(group: Group, instanceId: string | undefined): GroupMember | undefined {
  return group.members.find(
    (one) => instanceId !== undefined && one.instanceId === instanceId && !one.leaving,
  )
}

function fenced({ group, memberId, generation }: GroupMetadata, why: string): Error {
  return logError(
    'LOG_FENCED',
    `Member "${memberId}" (generation ${generation}) of group ${group} ${why}. Drop what is uncommitted and join again.`,
  )
}
