import type { Holdings } from './holdings.ts'
import type { PlanOptions, PlannedMember, PlannedTask } from './plan.ts'

export interface StandbyQuestion {
  readonly tasks: readonly PlannedTask[]
  readonly members: readonly PlannedMember[]
  readonly holdings: Holdings
  readonly owners: ReadonlyMap<string, PlannedMember>
  readonly warmUps: ReadonlyMap<string, PlannedMember>
  readonly options: PlanOptions
}

/**
 * Who follows which task besides its owner: never twice in a process, on as many processes as are wanted or there are.
 * Copies stay where they are while loads allow; new ones go where some of the state is, else where the least is done.
 */
export function standbyOwners(question: StandbyQuestion): ReadonlyMap<string, readonly PlannedMember[]> {
  const { tasks, members, holdings, options } = question
  const standbys = new Map<string, PlannedMember[]>()
  const stateful = tasks.filter(({ isStateful }) => isStateful)
  if (options.standbys === 0 || stateful.length === 0) return standbys
  const processes = new Set(members.map(({ process }) => process)).size
  const copies = Math.min(options.standbys, processes - 1)
  const threads = members.reduce((sum, { capacity }) => sum + capacity, 0)
  const share = Math.ceil((stateful.length * copies) / threads)
  const loads = new Map<PlannedMember, number>(members.map((member) => [member, 0]))
  const load = (member: PlannedMember): number => (loads.get(member) ?? 0) / member.capacity
  const add = (task: string, member: PlannedMember): void => {
    standbys.get(task)?.push(member)
    loads.set(member, (loads.get(member) ?? 0) + 1)
  }
  const taken = new Map<string, Set<string>>()
  const isFree = (task: string, { process }: PlannedMember): boolean =>
    taken.get(task)?.has(process) === false
  const take = (task: string, member: PlannedMember): void => {
    add(task, member)
    taken.get(task)?.add(member.process)
  }
  for (const { id } of stateful) {
    standbys.set(id, [])
    const busy = [question.owners.get(id), question.warmUps.get(id)].flatMap((one) => one?.process ?? [])
    taken.set(id, new Set(busy))
  }
  const missing = (id: string): number => copies - (standbys.get(id)?.length ?? 0)
  for (const candidatesOf of [(id: string) => holdings.followers(id), (id: string) => holdings.holders(id)]) {
    for (const { id } of stateful) {
      for (const member of candidatesOf(id)) {
        if (missing(id) > 0 && isFree(id, member) && load(member) < share) take(id, member)
      }
    }
  }
  for (const { id } of stateful) {
    while (missing(id) > 0) {
      let least: PlannedMember | undefined
      for (const member of members) {
        if (isFree(id, member) && (least === undefined || load(member) < load(least))) least = member
      }
      if (least === undefined) break
      take(id, least)
    }
  }
  return standbys
}
