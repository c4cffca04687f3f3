/** Who is in the group and has what, as the last assignment said to one of its stream threads. */
import { decodeAssignmentData } from '../assignment/assignment-data.ts'
import type { AssignmentData } from '../assignment/assignment-data.ts'
import type { FollowedRole } from '../standby/followed-task.ts'

export class Fleet {
  readonly #idPrefix: string
  /** Begins the prefixes of all threads of this process. */
  readonly #processPrefix: string
  #said: AssignmentData = { standby: [], warmUp: [], isProbing: false, members: [] }
  #hasAssigned = false

  constructor(options: { readonly appId: string; readonly processId: string; readonly idPrefix: string }) {
    this.#idPrefix = options.idPrefix
    this.#processPrefix = `${options.appId}-${options.processId}-`
  }

  /** @param userData of the assignment; what cannot be understood changes nothing */
  hear(userData: Uint8Array): void {
    this.#said = decodeAssignmentData(userData) ?? this.#said
    this.#hasAssigned = true
  }

  /** The thread has lost all that it had. What the others have stays known. */
  lost(): void {
    this.#hasAssigned = false
  }

  /** The thread has been assigned tasks, or none, since it came to the group. */
  get hasAssigned(): boolean {
    return this.#hasAssigned
  }

  /** In doubt yes: who is fenced by mistake loses work, who is waited for only costs time. */
  mayHave(idPrefix: string): boolean {
    const { members } = this.#said
    return members.length === 0 || members.some((member) => member.idPrefix === idPrefix)
  }

  /** What the group wants followed here. A state is kept open, too, until a task that is to come has come. */
  followed(isFollowed: (taskId: string) => boolean): ReadonlyMap<string, FollowedRole> {
    const { standby, warmUp, members } = this.#said
    const own = members.find(({ idPrefix }) => idPrefix === this.#idPrefix)?.active ?? []
    return new Map<string, FollowedRole>([
      ...own.filter(isFollowed).map((taskId) => [taskId, 'standby'] as const),
      ...standby.map((taskId) => [taskId, 'standby'] as const),
      ...warmUp.map((taskId) => [taskId, 'warm-up'] as const),
    ])
  }

  /** What threads of this process run, and what this one follows. */
  tasksOfProcess(): readonly string[] {
    const { standby, warmUp } = this.#said
    return [...this.#membersOfProcess().flatMap(({ active }) => active), ...standby, ...warmUp]
  }

  /** Another thread of this process, which needs the same directory, is to run the task. */
  isForSibling(taskId: string): boolean {
    return this.#membersOfProcess().some(
      ({ idPrefix, active }) => idPrefix !== this.#idPrefix && active.includes(taskId),
    )
  }

  #membersOfProcess(): AssignmentData['members'] {
    return this.#said.members.filter(({ idPrefix }) => idPrefix.startsWith(this.#processPrefix))
  }
}
