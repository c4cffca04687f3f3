/**
 * How far the states of this process are, for the assignor: those of tasks that run here or are followed, and those
 * that only lie on its disk.
 */
import { createHash } from 'node:crypto'
import { describe } from '#topology'
import { encodeMemberData } from '../assignment/member-data.ts'
import type { StandbyTasks } from '../standby/standby-tasks.ts'
import type { ThreadContext } from './options.ts'

/** How often it is noted, for after a crash. */
const noteMs = 10_000

export class StatePositions {
  readonly #thread: ThreadContext
  readonly #standbys: StandbyTasks
  readonly #topologyHash: string
  #notedAt = -Infinity

  constructor(thread: ThreadContext, standbys: StandbyTasks) {
    this.#thread = thread
    this.#standbys = standbys
    this.#topologyHash = createHash('sha256').update(describe(thread.topology)).digest('hex').slice(0, 16)
  }

  /** What the assignor is to know of this thread, as of now. */
  memberData(): Uint8Array {
    const { processId, idPrefix, endPoint, positions, clock } = this.#thread
    const running = this.#running()
    const following = this.#following()
    positions.note(new Map([...running, ...following]))
    const isHere = (id: string): boolean => following.has(id) || this.#thread.tasks.get(id) !== undefined
    const now = clock.now()
    const lags = new Map(this.#standbys.all().map((task) => [task.taskId, task.lagLately(now)]))
    const stored = [...positions.all()].filter(([id]) => !isHere(id))
    const tasks = [
      ...[...running].map(([id, position]) => ({ id, role: 'active' as const, position })),
      ...[...following].map(([id, position]) => ({
        id,
        role: 'following' as const,
        position,
        lag: lags.get(id),
      })),
      ...stored.map(([id, position]) => ({ id, role: 'stored' as const, position })),
    ]
    return encodeMemberData({
      processId,
      idPrefix,
      capacity: 1,
      endPoint,
      topologyHash: this.#topologyHash,
      tasks,
    })
  }

  /** To be called often: a crash leaves no chance to say how far states are. */
  noteInTime(): void {
    const { clock, positions } = this.#thread
    const now = clock.now()
    if (now - this.#notedAt < noteMs) return
    this.#notedAt = now
    positions.note(new Map([...this.#running(), ...this.#following()]))
  }

  #running(): Map<string, number> {
    return new Map(this.#thread.tasks.running().map((task) => [task.taskId, task.state.changelogPosition()]))
  }

  #following(): Map<string, number> {
    return new Map(this.#standbys.all().map(({ taskId, state }) => [taskId, state.changelogPosition()]))
  }
}
