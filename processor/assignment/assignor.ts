/**
 * Which member runs which task: balanced, and every task stays where it is as far as balance allows. Pure: the same
 * members and partition counts give the same answer, whoever computes it.
 */
import type { Assignor, MemberAssignment, MemberSubscription, TopicPartition } from '#log'
import type { Topology } from '#topology'

interface TaskPartitions {
  readonly id: string
  /** One of each source topic. */
  readonly partitions: readonly TopicPartition[]
}

/** All tasks of a topology, subtopology by subtopology. A topic missing from the counts gives no tasks. */
export function tasksOf(topology: Topology, partitionCounts: ReadonlyMap<string, number>): TaskPartitions[] {
  return topology.subtopologies.flatMap(({ id, sourceTopics }) => {
    const counts = sourceTopics.map((topic) => partitionCounts.get(topic) ?? 0)
    return Array.from({ length: Math.min(...counts) }, (_, partition) => ({
      id: `${id}_${partition}`,
      partitions: sourceTopics.map((topic) => ({ topic, partition })),
    }))
  })
}

export function stickyAssignor(topology: Topology): Assignor {
  return (members, partitionCounts) => {
    const ordered = members.toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1))
    const shares = new Map<string, TaskPartitions[]>(ordered.map(({ memberId }) => [memberId, []]))
    const homeless = keepOwned(tasksOf(topology, partitionCounts), ordered, shares)
    for (const task of homeless) leastLoaded(shares).push(task)
    return new Map<string, MemberAssignment>(
      [...shares].map(([memberId, tasks]) => [
        memberId,
        { partitions: tasks.flatMap(({ partitions }) => partitions), userData: new Uint8Array(0) },
      ]),
    )
  }
}

/** Leaves each task with its owner up to a fair share; returns the rest. */
function keepOwned(
  tasks: readonly TaskPartitions[],
  members: readonly MemberSubscription[],
  shares: ReadonlyMap<string, TaskPartitions[]>,
): TaskPartitions[] {
  const floor = Math.floor(tasks.length / Math.max(members.length, 1))
  // So many members may keep one task more than the others.
  let extras = tasks.length - floor * members.length
  const owners = new Map<string, string>()
  for (const { memberId, owned } of members) {
    for (const { topic, partition } of owned) owners.set(`${topic}/${partition}`, memberId)
  }
  return tasks.filter((task) => {
    const [first] = task.partitions
    const share = first && shares.get(owners.get(`${first.topic}/${first.partition}`) ?? '')
    if (share === undefined || share.length > floor || (share.length === floor && extras === 0)) return true
    if (share.length === floor) extras--
    share.push(task)
    return false
  })
}

function leastLoaded(shares: ReadonlyMap<string, TaskPartitions[]>): TaskPartitions[] {
  let least: TaskPartitions[] | undefined
  for (const share of shares.values()) if (least === undefined || share.length < least.length) least = share
  return least ?? []
}
