import type { Holdings } from './holdings.ts'
import type { PlanOptions, PlannedMember, PlannedTask } from './plan.ts'

/**
 * Who should run each task: loads a thread differ by one task at most, and no more tasks move than that takes. A task
 * that moves goes where its state is, if there is room.
 */
export function intendedOwners(
  tasks: readonly PlannedTask[],
  members: readonly PlannedMember[],
  holdings: Holdings,
  options: PlanOptions,
): ReadonlyMap<string, PlannedMember> {
  const seats = new Seats(tasks.length, members)
  const owned = new Map<PlannedMember, string[]>(members.map((member) => [member, []]))
  const homeless: string[] = []
  for (const { id } of tasks) {
    const owner = holdings.owner(id)
    if (owner === undefined) homeless.push(id)
    else owned.get(owner)?.push(id)
  }
  const owners = new Map<string, PlannedMember>()
  // Who has more than a plain share keeps one of those that are left over, before anybody else gets it.
  const keeps = new Map([...owned].map(([member, ids]) => [member, seats.reserve(member, ids.length)]))
  const takers = members.filter((member) => seats.hasRoom(member))
  for (const [member, ids] of owned) {
    const kept = keeps.get(member) ?? 0
    const inOrder = kept >= ids.length ? ids : fewestWanted(ids, takers, holdings, options)
    for (const id of inOrder.slice(0, kept)) owners.set(id, member)
    homeless.push(...inOrder.slice(kept))
  }
  const placeless: string[] = []
  for (const id of homeless) {
    const best = holdings.holders(id).find((member) => seats.hasRoom(member))
    if (best === undefined) placeless.push(id)
    else owners.set(id, seats.take(best))
  }
  for (const id of placeless) {
    const least = seats.emptiest()
    if (least !== undefined) owners.set(id, seats.take(least))
  }
  return owners
}

/** The tasks that the takers are best prepared for come last; else those that come last anyway. */
function fewestWanted(
  ids: readonly string[],
  takers: readonly PlannedMember[],
  holdings: Holdings,
  { acceptableLag }: PlanOptions,
): string[] {
  const processes = new Set(takers.map(({ process }) => process))
  const wanted = (id: string): number => {
    const prepared = holdings.holders(id).filter(({ process }) => processes.has(process))
    if (prepared.some(({ process }) => holdings.lag(process, id) <= acceptableLag)) return 3
    if (holdings.followers(id).some(({ process }) => processes.has(process))) return 2
    return prepared.length > 0 ? 1 : 0
  }
  const ranks = new Map(ids.map((id) => [id, wanted(id)]))
  return ids.toSorted((a, b) => (ranks.get(a) ?? 0) - (ranks.get(b) ?? 0))
}

/** A plain share for each thread, and as many places more as tasks are left over. */
class Seats {
  readonly #share: number
  #leftOver: number
  readonly #taken: Map<PlannedMember, number>
  readonly #members: readonly PlannedMember[]

  constructor(tasks: number, members: readonly PlannedMember[]) {
    const threads = members.reduce((sum, { capacity }) => sum + capacity, 0)
    this.#share = Math.floor(tasks / threads)
    this.#leftOver = tasks - this.#share * threads
    this.#taken = new Map(members.map((member) => [member, 0]))
    this.#members = members
  }

  /** Takes up to `wanted` places; how many it got. */
  reserve(member: PlannedMember, wanted: number): number {
    let got = 0
    while (got < wanted && this.hasRoom(member)) {
      this.take(member)
      got++
    }
    return got
  }

  hasRoom(member: PlannedMember): boolean {
    const taken = this.#taken.get(member) ?? 0
    const plain = this.#share * member.capacity
    return taken < plain || (this.#leftOver > 0 && taken < plain + member.capacity)
  }

  take(member: PlannedMember): PlannedMember {
    const taken = this.#taken.get(member) ?? 0
    if (taken >= this.#share * member.capacity) this.#leftOver--
    this.#taken.set(member, taken + 1)
    return member
  }

  emptiest(): PlannedMember | undefined {
    let least: PlannedMember | undefined
    let lowest = Infinity
    for (const member of this.#members) {
      const load = (this.#taken.get(member) ?? 0) / member.capacity
      if (load < lowest && this.hasRoom(member)) [least, lowest] = [member, load]
    }
    return least
  }
}
