import type { MemberAssignment } from './log.ts'
import { partitionName } from './topic-partition.ts'

/** Why an assignment cannot be used: every partition has one owner, and owners are members. */
export function assignmentProblem(
  assignment: ReadonlyMap<string, MemberAssignment>,
  members: readonly { readonly memberId: string }[],
): string | undefined {
  const ids = new Set(members.map(({ memberId }) => memberId))
  const seen = new Set<string>()
  for (const [memberId, { partitions }] of assignment) {
    if (!ids.has(memberId)) return `${memberId} is not a member`
    for (const name of partitions.map(partitionName)) {
      if (seen.has(name)) return `${name} was given to two members`
      seen.add(name)
    }
  }
  return undefined
}
