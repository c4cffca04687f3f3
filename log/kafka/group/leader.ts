/** The leader's part: from what all members said to what each of them gets. Pure. */
import { partitionName } from '../../index.ts'
import type { Assignor, MemberAssignment, TopicPartition } from '../../index.ts'
import { assignmentProblem } from '../../assignment-problem.ts'
import type { Subscription } from './consumer-protocol.ts'

export interface Member extends Subscription {
  readonly memberId: string
}

interface Claim {
  readonly memberId: string
  readonly generation: number
  /** Somebody else claims it too. */
  readonly disputed: boolean
}

/** Who owns what. Of two who claim a partition the one of the later generation counts (KIP-792). */
function claimsOf(members: readonly Member[]): ReadonlyMap<string, Claim> {
  const claims = new Map<string, Claim>()
  for (const { memberId, owned, generation } of members) {
    for (const name of owned.map(partitionName)) {
      const other = claims.get(name)
      if (other === undefined) claims.set(name, { memberId, generation, disputed: false })
      else if (other.generation < generation) claims.set(name, { memberId, generation, disputed: true })
      else claims.set(name, { ...other, disputed: true })
    }
  }
  return claims
}

/**
 * What each member gets in this generation: the assignor's answer without what another one still owns. The owner finds
 * it missing from its own share, gives it back and joins again, and the round after that hands it over.
 * Errors: those of the assignor; an assignment that gives a partition to two, or to somebody who is not a member.
 */
export function assignmentsOf(
  members: readonly Member[],
  partitionCounts: ReadonlyMap<string, number>,
  assignor: Assignor,
): ReadonlyMap<string, MemberAssignment> {
  const claims = claimsOf(members)
  // What two claim goes to neither until both have given it back.
  const isFree = (memberId: string, partition: TopicPartition): boolean => {
    const claim = claims.get(partitionName(partition))
    return claim === undefined || (claim.memberId === memberId && !claim.disputed)
  }
  const subscriptions = members.map(({ memberId, topics, userData, owned }) => ({
    memberId,
    topics,
    userData,
    owned: owned.filter((partition) => claims.get(partitionName(partition))?.memberId === memberId),
  }))
  const wanted = assignor(subscriptions, partitionCounts)
  const problem = assignmentProblem(wanted, members)
  if (problem !== undefined)
    throw new TypeError(`The assignor gave an assignment that cannot be: ${problem}.`)
  return new Map(
    [...wanted].map(([memberId, { partitions, userData }]) => [
      memberId,
      { partitions: partitions.filter((partition) => isFree(memberId, partition)), userData },
    ]),
  )
}

/** Everybody keeps what it has: for when there is no better answer. */
export function unchanged(members: readonly Member[]): ReadonlyMap<string, MemberAssignment> {
  const claims = claimsOf(members)
  const isKept = (memberId: string, partition: TopicPartition): boolean => {
    const claim = claims.get(partitionName(partition))
    return claim?.memberId === memberId && !claim.disputed
  }
  return new Map(
    members.map(({ memberId, owned }) => [
      memberId,
      { partitions: owned.filter((partition) => isKept(memberId, partition)), userData: new Uint8Array() },
    ]),
  )
}
