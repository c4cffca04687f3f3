import { everyPartition, partitionName } from '../index.ts'
import type { Assignor } from '../index.ts'

/** Balanced and sticky: everyone keeps what it owns up to its share; the rest goes round. */
export const stickyAssignor: Assignor = (members, partitionCounts) => {
  const all = [...partitionCounts].flatMap(([topic, count]) => everyPartition(topic, count))
  const sorted = [...members].toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1))
  const share = Math.ceil(all.length / sorted.length)
  const taken = new Set<string>()
  const kept = sorted.map((member) => {
    const mine = all
      .filter((one) => member.owned.some((owned) => partitionName(owned) === partitionName(one)))
      .slice(0, share)
    for (const one of mine) taken.add(partitionName(one))
    return { memberId: member.memberId, partitions: mine }
  })
  for (const one of all.filter((left) => !taken.has(partitionName(left)))) {
    kept.toSorted((a, b) => a.partitions.length - b.partitions.length)[0]?.partitions.push(one)
  }
  const greetings = sorted.map((member) => Buffer.from(member.userData).toString()).join(',')
  return new Map(
    kept.map(({ memberId, partitions }) => [memberId, { partitions, userData: Buffer.from(greetings) }]),
  )
}
