/**
 * Which member runs which task, who keeps a copy of its state, and who gets one before it takes the task over. Pure: the
 * same members give the same plan, whoever computes it and in whatever order they come.
 *
 *   intended owners (intended.ts): balanced, and every task stays where it is as far as balance allows
 *   → owners for now: a task whose intended owner lacks its state stays with one who has it, and is warmed up there;
 *     a small one too, because whoever has opened it and read it once goes on with it in a fraction of the time
 *   → standbys (standbys.ts): copies on other processes
 */
import { Holdings } from './holdings.ts'
import { intendedOwners } from './intended.ts'
import { standbyOwners } from './standbys.ts'

export interface PlannedTask {
  readonly id: string
  readonly isStateful: boolean
}

export interface PlannedMember {
  readonly id: string
  /** Whose state directory it works in: a copy in the same process is no copy. */
  readonly process: string
  /** Stream threads it stands for; a member with twice as many gets twice as much. */
  readonly capacity: number
  /** Tasks it runs. */
  readonly active: ReadonlySet<string>
  /** Tasks whose changelogs it follows, as standby or to warm up. */
  readonly following: ReadonlySet<string>
  /** How far into its changelogs the state of a task is that it has, in records, over all of them. */
  readonly positions: ReadonlyMap<string, number>
  /** Of tasks it follows: how many records it has measured itself to be behind. */
  readonly lags?: ReadonlyMap<string, number>
}

export interface PlanOptions {
  /** Copies of each stateful task besides the active one. */
  readonly standbys: number
  /** A state that is behind by no more is as good as caught up, records. */
  readonly acceptableLag: number
  /**
   * Tasks warmed up at once in the whole group, besides those with no more than the acceptable lag to read; 0: tasks
   * move at once, and are restored by their new owner.
   */
  readonly warmUpsMax: number
}

interface MemberPlan {
  readonly active: readonly string[]
  readonly standby: readonly string[]
  readonly warmUp: readonly string[]
}

export interface Plan {
  /** By member id. */
  readonly members: ReadonlyMap<string, MemberPlan>
  /** Tasks are not yet where they should be: ask again when states have been warmed up. */
  readonly isProbing: boolean
}

/** One member at least. */
export function planTasks(
  tasks: readonly PlannedTask[],
  members: readonly PlannedMember[],
  options: PlanOptions,
): Plan {
  const ordered = members.toSorted((a, b) => compare(a.process, b.process) || compare(a.id, b.id))
  const holdings = new Holdings(tasks, ordered)
  const intended = intendedOwners(tasks, ordered, holdings, options)
  const { owners, warmUps, isProbing } = ownersForNow(tasks, intended, holdings, options)
  const standbys = standbyOwners({ tasks, members: ordered, holdings, owners, warmUps, options })
  const plans = new Map(
    ordered.map(({ id }) => [
      id,
      { active: [] as string[], standby: [] as string[], warmUp: [] as string[] },
    ]),
  )
  for (const { id } of tasks) {
    const owner = owners.get(id)
    if (owner !== undefined) plans.get(owner.id)?.active.push(id)
    const warmUp = warmUps.get(id)
    if (warmUp !== undefined) plans.get(warmUp.id)?.warmUp.push(id)
    for (const standby of standbys.get(id) ?? []) plans.get(standby.id)?.standby.push(id)
  }
  return { members: plans, isProbing }
}

/** A task whose intended owner is not ready for it. */
interface Waiting {
  readonly id: string
  readonly member: PlannedMember
  /** There is so little to read that it need not wait for others. */
  readonly isSmall: boolean
  readonly isFollowed: boolean
}

function ownersForNow(
  tasks: readonly PlannedTask[],
  intended: ReadonlyMap<string, PlannedMember>,
  holdings: Holdings,
  { acceptableLag, warmUpsMax }: PlanOptions,
): {
  readonly owners: ReadonlyMap<string, PlannedMember>
  readonly warmUps: ReadonlyMap<string, PlannedMember>
  readonly isProbing: boolean
} {
  const owners = new Map(intended)
  const waiting: Waiting[] = []
  for (const { id } of warmUpsMax > 0 ? tasks : []) {
    const member = intended.get(id)
    if (member === undefined) continue
    const isSmall = holdings.lag(member.process, id) <= acceptableLag
    if (isSmall && holdings.hasSome(member.process, id)) continue
    const caughtUp = holdings.caughtUp(id, acceptableLag)
    if (caughtUp === undefined) continue
    owners.set(id, caughtUp)
    waiting.push({ id, member, isSmall, isFollowed: holdings.isFollowed(member.process, id) })
  }
  // What is being warmed up is finished first.
  const large = waiting.filter(({ isSmall }) => !isSmall)
  const inTurn = [...large.filter(({ isFollowed }) => isFollowed), ...large.filter((one) => !one.isFollowed)]
  const chosen = [...waiting.filter(({ isSmall }) => isSmall), ...inTurn.slice(0, warmUpsMax)]
  const warmUps = new Map(chosen.map(({ id, member }) => [id, member]))
  return { owners, warmUps, isProbing: waiting.length > 0 }
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
