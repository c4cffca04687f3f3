import type { Logger } from '#core'
import { messageOf } from '#core'
import { partitionName } from '../index.ts'
import type { MemberAssignment, TopicPartition } from '../index.ts'
import { assignmentProblem } from '../assignment-problem.ts'
import type { GroupMember } from './group-member.ts'

/**
 * One consumer group. A rebalance asks every member for its user data, lets the first member's assignor decide, then
 * moves only what changes owner: the owner before is told `revoked` and answers before the next one is told
 * `assigned`. Everything else stays where it is. Whoever joins or leaves meanwhile is served by the next round.
 */
export class Group {
  readonly #name: string
  readonly #partitionsOf: (topic: string) => number | undefined
  readonly #logger: Logger
  readonly #members: GroupMember[] = []
  #generation = 0
  #changed = false
  #rebalancing = false

  constructor(options: {
    readonly name: string
    readonly partitionsOf: (topic: string) => number | undefined
    readonly logger: Logger
  }) {
    this.#name = options.name
    this.#partitionsOf = options.partitionsOf
    this.#logger = options.logger
  }

  get members(): readonly GroupMember[] {
    return this.#members
  }

  add(member: GroupMember): void {
    this.#members.push(member)
    this.rebalance()
  }

  /** Revokes everything the member owns, then removes it. */
  async leave(member: GroupMember): Promise<void> {
    if (member.gone || member.leaving) return
    member.leaving = true
    // Told even when nothing is left to revoke: the answer comes after those to everything it was told before.
    await revoke(member, this.#generation, [...member.owned.values()])
    this.remove(member)
  }

  /** Its successor with the same instance id is here: it is told that all is lost, then removed. */
  async replace(member: GroupMember): Promise<void> {
    member.leaving = true
    const kept = [...member.owned].filter(([name]) => !member.revoking.has(name))
    await member.tell({ kind: 'lost', partitions: kept.map(([, partition]) => partition) })
    this.remove(member)
  }

  /** The member is gone; what it owned is free at once. */
  remove(member: GroupMember): void {
    member.end()
    const at = this.#members.indexOf(member)
    if (at < 0) return
    this.#members.splice(at, 1)
    this.rebalance()
  }

  rebalance(): void {
    this.#changed = true
    if (this.#rebalancing) return
    this.#rebalancing = true
    void this.#run()
  }

  async #run(): Promise<void> {
    try {
      while (this.#changed) {
        this.#changed = false
        await this.#round()
      }
    } catch (error) {
      this.#logger.error({ group: this.#name, error: messageOf(error) }, 'group.rebalance-failed')
    } finally {
      this.#rebalancing = false
    }
  }

  async #round(): Promise<void> {
    const members = this.#members.filter((member) => !member.leaving)
    const leader = members[0]
    if (leader === undefined) return
    await Promise.all(
      members.map(async (member) => {
        const reply = await member.tell({ kind: 'subscription' })
        if (reply?.userData !== undefined) member.userData = reply.userData
      }),
    )
    if (this.#changed) return
    const reply = await leader.tell({
      kind: 'assign',
      members: members.map(({ memberId, topics, userData, owned }) => ({
        memberId,
        topics,
        userData,
        owned: [...owned.values()],
      })),
      partitionCounts: this.#partitionCounts(members),
    })
    if (this.#changed || reply === undefined) return
    const { assignment } = reply
    const problem =
      reply.failure ??
      (assignment === undefined ? 'the assignor gave no assignment' : assignmentProblem(assignment, members))
    if (problem !== undefined || assignment === undefined) {
      this.#logger.error({ group: this.#name, problem }, 'group.assignor-failed')
      return
    }
    await this.#move(members, assignment)
  }

  async #move(
    members: readonly GroupMember[],
    assignment: ReadonlyMap<string, MemberAssignment>,
  ): Promise<void> {
    const generation = ++this.#generation
    this.#logger.info({ group: this.#name, generation, members: members.length }, 'group.rebalanced')
    const told: Promise<unknown>[] = []
    const revoked: Promise<unknown>[] = []
    const later: (() => void)[] = []
    for (const member of members) {
      const target = assignment.get(member.memberId) ?? { partitions: [], userData: new Uint8Array() }
      const wanted = new Map(target.partitions.map((partition) => [partitionName(partition), partition]))
      const surplus = [...member.owned]
        .filter(([name]) => !wanted.has(name))
        .map(([, partition]) => partition)
      if (surplus.length > 0) revoked.push(revoke(member, generation, surplus))
      const gained = [...wanted].filter(([name]) => !member.owned.has(name)).map(([, partition]) => partition)
      const free = gained.filter((partition) => this.#isFree(partition))
      told.push(assign(member, generation, free, target.userData))
      const held = gained.filter((partition) => !free.includes(partition))
      if (held.length === 0) continue
      later.push(() => {
        // What is still not free belongs to a member that leaves; the round after its end hands it out.
        const freed = held.filter((partition) => this.#isFree(partition))
        if (freed.length > 0) told.push(assign(member, generation, freed, target.userData))
      })
    }
    await Promise.all(revoked)
    for (const handOver of later) handOver()
    await Promise.all(told)
  }

  #isFree(partition: TopicPartition): boolean {
    const name = partitionName(partition)
    return this.#members.every((member) => !member.owned.has(name))
  }

  #partitionCounts(members: readonly GroupMember[]): Map<string, number> {
    const counts = new Map<string, number>()
    for (const topic of new Set(members.flatMap((member) => member.topics))) {
      const partitions = this.#partitionsOf(topic)
      if (partitions !== undefined) counts.set(topic, partitions)
    }
    return counts
  }
}

async function revoke(
  member: GroupMember,
  generation: number,
  partitions: readonly TopicPartition[],
): Promise<void> {
  const asked = partitions.filter((partition) => !member.revoking.has(partitionName(partition)))
  for (const partition of asked) member.revoking.add(partitionName(partition))
  await member.tell({ kind: 'revoked', generation, partitions: asked })
  for (const name of asked.map(partitionName)) {
    member.owned.delete(name)
    member.revoking.delete(name)
  }
}

async function assign(
  member: GroupMember,
  generation: number,
  partitions: readonly TopicPartition[],
  userData: Uint8Array,
): Promise<void> {
  if (member.gone || member.leaving) return
  for (const partition of partitions) member.owned.set(partitionName(partition), partition)
  await member.tell({ kind: 'assigned', generation, partitions, userData })
}
