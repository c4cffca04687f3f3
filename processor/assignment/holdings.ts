import type { PlannedMember, PlannedTask } from './plan.ts'

interface Holding {
  readonly member: PlannedMember
  readonly position: number
}

/** Who has which task, and how good a state of it. */
export class Holdings {
  readonly #owners = new Map<string, PlannedMember>()
  /** By task: members with some of its state, the best first. */
  readonly #states = new Map<string, Holding[]>()
  readonly #followers = new Map<string, PlannedMember[]>()
  readonly #stateless: ReadonlySet<string>

  constructor(tasks: readonly PlannedTask[], members: readonly PlannedMember[]) {
    this.#stateless = new Set(tasks.filter(({ isStateful }) => !isStateful).map(({ id }) => id))
    for (const member of members) {
      for (const id of member.active) if (!this.#owners.has(id)) this.#owners.set(id, member)
      for (const id of member.following) push(this.#followers, id, member)
      for (const [id, position] of member.positions) push(this.#states, id, { member, position })
    }
    for (const holdings of this.#states.values()) holdings.sort((a, b) => b.position - a.position)
  }

  /** Who runs the task now. */
  owner(task: string): PlannedMember | undefined {
    return this.#owners.get(task)
  }

  /** Those with some of its state, the best first. */
  holders(task: string): readonly PlannedMember[] {
    return this.#stateless.has(task) ? [] : (this.#states.get(task) ?? []).map(({ member }) => member)
  }

  followers(task: string): readonly PlannedMember[] {
    return this.#followers.get(task) ?? []
  }

  isFollowed(process: string, task: string): boolean {
    return this.followers(task).some((member) => member.process === process)
  }

  /**
   * How far the state in this process is behind the best one there is, in records. Members say their positions one
   * after the other, and a busy owner writes tens of thousands of records meanwhile, which a follower who has just
   * measured how far it is behind is not behind by.
   */
  lag(process: string, task: string): number {
    const states = this.#states.get(task)
    const [best] = states ?? []
    if (best === undefined || this.#stateless.has(task) || this.#owners.get(task)?.process === process)
      return 0
    const own = states?.find(({ member }) => member.process === process)
    return Math.min(best.position - (own?.position ?? 0), own?.member.lags?.get(task) ?? Infinity)
  }

  /** False when this process would have to begin at nothing with what others have something of. */
  hasSome(process: string, task: string): boolean {
    const states = this.#states.get(task) ?? []
    const isWorthless = (states[0]?.position ?? 0) === 0 || this.#stateless.has(task)
    return (
      isWorthless ||
      this.#owners.get(task)?.process === process ||
      states.some(({ member }) => member.process === process)
    )
  }

  /** Who can go on with the task at once: whoever runs it now, else whoever has the best state, if it is good enough. */
  caughtUp(task: string, acceptableLag: number): PlannedMember | undefined {
    const owner = this.#owners.get(task)
    if (owner !== undefined) return owner
    const [best] = this.holders(task)
    return best !== undefined && this.lag(best.process, task) <= acceptableLag ? best : undefined
  }
}

function push<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [item])
  else list.push(item)
}
