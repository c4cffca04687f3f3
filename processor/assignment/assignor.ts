/** The log port's assignor for a topology: partitions as tasks, user data as what members have and get. Pure. */
import type { Assignor, MemberAssignment, MemberSubscription } from '#log'
import type { Topology } from '#topology'
import { encodeAssignmentData, encodeFleet } from './assignment-data.ts'
import { decodeMemberData } from './member-data.ts'
import type { MemberData } from './member-data.ts'
import { compare, planTasks } from './plan.ts'
import type { PlanOptions, PlannedMember } from './plan.ts'
import { tasksOf } from './tasks.ts'

export function taskAssignor(topology: Topology, options: PlanOptions): Assignor {
  return (members, partitionCounts) => {
    const tasks = tasksOf(topology, partitionCounts)
    const taskOf = new Map(
      tasks.flatMap(({ id, partitions }) => partitions.map((one) => [`${one.topic}/${one.partition}`, id])),
    )
    const known = members.map((member) => ({ member, data: decodeMemberData(member.userData) }))
    // Whoever does not read what a task reads, as in a rolling upgrade, cannot run it.
    const topics = topology.subtopologies.flatMap(({ sourceTopics }) => sourceTopics)
    const able = known.filter(({ member }) => topics.every((topic) => member.topics.includes(topic)))
    const planned = (able.length > 0 ? able : known).map(({ member, data }) =>
      plannedMember(member, data, taskOf),
    )
    const { members: plans, isProbing } = planTasks(tasks, planned, options)
    const fleet = known
      .map(({ member, data }) => ({
        idPrefix: data?.idPrefix ?? member.memberId,
        endPoint: data?.endPoint ?? '',
        active: plans.get(member.memberId)?.active ?? [],
      }))
      .toSorted((a, b) => compare(a.idPrefix, b.idPrefix))
    const everybody = encodeFleet(fleet)
    const partitionsOf = new Map(tasks.map(({ id, partitions }) => [id, partitions]))
    return new Map<string, MemberAssignment>(
      members.map(({ memberId }) => {
        const { active = [], standby = [], warmUp = [] } = plans.get(memberId) ?? {}
        const partitions = active.flatMap((id) => partitionsOf.get(id) ?? [])
        return [
          memberId,
          { partitions, userData: encodeAssignmentData({ standby, warmUp, isProbing }, everybody) },
        ]
      }),
    )
  }
}

/** Who says nothing that can be understood is a process of its own with what it owns, and no state. */
function plannedMember(
  { memberId, owned }: MemberSubscription,
  data: MemberData | undefined,
  taskOf: ReadonlyMap<string, string>,
): PlannedMember {
  const active = owned.flatMap(({ topic, partition }) => taskOf.get(`${topic}/${partition}`) ?? [])
  const held = data?.tasks ?? []
  const following = held.filter(({ role }) => role === 'following')
  return {
    id: memberId,
    process: data?.processId ?? memberId,
    capacity: Math.max(data?.capacity ?? 1, 1),
    active: new Set(active),
    following: new Set(following.map(({ id }) => id)),
    positions: new Map(held.map(({ id, position }) => [id, position])),
    lags: new Map(following.flatMap(({ id, lag }) => (lag === undefined ? [] : [[id, lag]]))),
  }
}
