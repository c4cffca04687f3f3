/**
 * A group as the cooperative protocol keeps it, in memory: members with what they run, follow and have on disk; rounds
 * in which nobody gets what another one has not given back; and time, in which followers catch up.
 */
import { expect } from 'vitest'
import { planTasks } from '../plan.ts'
import type { Plan, PlanOptions, PlannedMember, PlannedTask } from '../plan.ts'

interface FleetMember {
  readonly id: string
  readonly process: string
  readonly capacity: number
  active: Set<string>
  following: Set<string>
  /** Of the process's disk. */
  readonly positions: Map<string, number>
}

/** More rounds than it takes to take back, hand over and place copies anew. */
const roundsMax = 12

export class Fleet {
  readonly tasks: readonly PlannedTask[]
  readonly options: PlanOptions
  readonly members = new Map<string, FleetMember>()
  /** Records in the changelogs of each stateful task. */
  readonly #ends: Map<string, number>
  /** State directories outlive their processes. */
  readonly #disks = new Map<string, Map<string, number>>()
  #ids = 0
  /** Tasks that got another owner, over all rounds. */
  moves = 0
  readonly #lastOwners = new Map<string, string>()

  constructor(tasks: readonly PlannedTask[], options: PlanOptions, records: number) {
    this.tasks = tasks
    this.options = options
    this.#ends = new Map(tasks.map(({ id }) => [id, records]))
  }

  join(process: string, capacity = 1): string {
    const id = `member-${++this.#ids}`
    const positions = this.#disks.get(process) ?? new Map<string, number>()
    this.#disks.set(process, positions)
    this.members.set(id, { id, process, capacity, active: new Set(), following: new Set(), positions })
    return id
  }

  /** It stops in order, crashes, or is taken for dead: to the others it is all the same. */
  leave(id: string): void {
    this.members.delete(id)
  }

  /** Everybody joins: one generation. True when nothing changed. */
  round(): boolean {
    const plan = planTasks(this.tasks, [...this.members.values()].map(planned), this.options)
    const owners = this.#owners()
    let changed = false
    for (const member of this.members.values()) {
      const { active, standby, warmUp } = plan.members.get(member.id) ?? {
        active: [],
        standby: [],
        warmUp: [],
      }
      const free = active.filter((id) => [undefined, member.id].includes(owners.get(id)))
      // Copies of what it runs are no copies.
      const following = new Set([...standby, ...warmUp].filter((id) => !free.includes(id)))
      changed ||= !isSame(member.active, free) || !isSame(member.following, following)
      member.active = new Set(free)
      member.following = following
    }
    this.#countMoves()
    this.checkOwners()
    return !changed
  }

  /** Rounds until nothing changes any more. */
  settle(): void {
    for (let round = 1; !this.round(); round++) expect(round).toBeLessThanOrEqual(roundsMax)
  }

  /** New records come, who runs a task is up to date, and who follows one reads so many. */
  pass(records: number, readRecords: number): void {
    for (const [id, end] of this.#ends) this.#ends.set(id, end + records)
    for (const { active, following, positions } of this.members.values()) {
      for (const id of active) positions.set(id, this.#end(id))
      for (const id of following)
        positions.set(id, Math.min(this.#end(id), (positions.get(id) ?? 0) + readRecords))
    }
  }

  plan(): Plan {
    return planTasks(this.tasks, [...this.members.values()].map(planned), this.options)
  }

  /** No task has two owners, and none two copies in a process. */
  checkOwners(): void {
    const seen = new Set<string>()
    for (const { active } of this.members.values()) {
      for (const id of active) {
        if (seen.has(id)) throw new Error(`two owners of ${id}`)
        seen.add(id)
      }
    }
  }

  /** Tasks a thread: the most and the fewest. */
  loads(): { readonly most: number; readonly fewest: number } {
    const loads = [...this.members.values()].map(({ active, capacity }) => active.size / capacity)
    return { most: Math.max(...loads), fewest: Math.min(...loads) }
  }

  ownedTasks(): number {
    return this.#owners().size
  }

  #owners(): Map<string, string> {
    return new Map(
      [...this.members.values()].flatMap(({ id, active }) => [...active].map((task) => [task, id])),
    )
  }

  #countMoves(): void {
    for (const [task, owner] of this.#owners()) {
      if (this.#lastOwners.has(task) && this.#lastOwners.get(task) !== owner) this.moves++
      this.#lastOwners.set(task, owner)
    }
  }

  #end(id: string): number {
    return this.#ends.get(id) ?? 0
  }
}

function planned({ id, process, capacity, active, following, positions }: FleetMember): PlannedMember {
  return { id, process, capacity, active, following, positions }
}

function isSame(before: ReadonlySet<string>, now: Iterable<string>): boolean {
  const after = new Set(now)
  return before.size === after.size && [...after].every((id) => before.has(id))
}
