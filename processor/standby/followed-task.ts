/** One task whose changelogs are followed: its open state, and how far that is. */
import type { FetchedRecords, TopicPartition } from '#log'
import { checkpointRenewalMs } from '#state'
import type { ChangelogFacts, Checkpoint, TaskState } from '#state'

/** `standby`: a copy, kept for the day its owner dies. `warm-up`: the task moves here when it has caught up. */
export type FollowedRole = 'standby' | 'warm-up'

/** Where following begins: at the checkpoint, or at the start when there is none. */
interface ChangelogStart extends TopicPartition {
  readonly store: string
  readonly facts: Omit<ChangelogFacts, 'deleteRetentionMs'>
}

interface FollowedChangelog extends TopicPartition {
  readonly store: string
  readonly clusterId: string
  readonly topicId: string
  /** Next offset to apply. */
  position: number
  /** Next offset to read: past markers and aborted records, of which nothing is applied. */
  read: number
  end: number
  /** `end` when following began. */
  readonly endAtFirst: number
  /** When the checkpoint was written last, wall-clock milliseconds. */
  writtenAt: number
}

/** A few times what a fetch takes. */
const latelyMs = 2000

export class FollowedTask {
  readonly taskId: string
  readonly state: TaskState
  readonly changelogs: readonly FollowedChangelog[]
  #role: FollowedRole
  #probedAt = -Infinity
  #appliedAt = -Infinity

  constructor(taskId: string, role: FollowedRole, state: TaskState, changelogs: readonly ChangelogStart[]) {
    this.taskId = taskId
    this.#role = role
    this.state = state
    this.changelogs = changelogs.map(({ store, topic, partition, facts }) => {
      const { clusterId, topicId, start, end } = facts
      const checkpoint = state.checkpoint(store)
      const position = checkpoint?.offset ?? start
      const writtenAt = checkpoint?.writtenAt ?? 0
      const place = { store, topic, partition, clusterId, topicId }
      return { ...place, position, read: position, end, endAtFirst: end, writtenAt }
    })
  }

  get role(): FollowedRole {
    return this.#role
  }

  become(role: FollowedRole): void {
    this.#role = role
  }

  /** Changelog offsets that are not in the state yet, over all stores, as far as is known. */
  get lag(): number {
    return this.changelogs.reduce((sum, { read, end }) => sum + Math.max(0, end - read), 0)
  }

  /**
   * As `lag`, of a task that is written to all the time; undefined when nothing of it has come for a while: then nobody
   * here knows where its changelogs end.
   */
  lagLately(now: number): number | undefined {
    return now - this.#appliedAt <= latelyMs ? this.lag : undefined
  }

  /** Writes what was fetched, with the checkpoint it reaches; how many records that were. */
  apply(changelog: FollowedChangelog, fetched: FetchedRecords, now: number): number {
    const records = this.state.restore(
      changelog.store,
      fetched,
      checkpointOf(changelog, fetched.nextOffset, now),
    )
    changelog.position = fetched.nextOffset
    changelog.read = fetched.nextOffset
    changelog.end = fetched.highWatermark
    changelog.writtenAt = now
    this.#appliedAt = now
    return records
  }

  /** Nothing came for long, and nothing is missing: the checkpoint says so. */
  refresh(now: number): void {
    for (const changelog of this.changelogs) {
      if (now - changelog.writtenAt < checkpointRenewalMs || changelog.read < changelog.end) continue
      this.state.advance(changelog.store, checkpointOf(changelog, changelog.position, now))
      changelog.writtenAt = now
    }
  }

  /**
   * True when it is to be taken over, and has caught up and read all once that was there at first; then not again for
   * a while.
   */
  isWarm(acceptableLag: number, now: number, againMs: number): boolean {
    const isBehind =
      this.lag > acceptableLag || this.changelogs.some(({ read, endAtFirst }) => read < endAtFirst)
    if (this.#role !== 'warm-up' || isBehind || now - this.#probedAt < againMs) return false
    this.#probedAt = now
    return true
  }
}

function checkpointOf(
  { clusterId, topicId }: FollowedChangelog,
  offset: number,
  writtenAt: number,
): Checkpoint {
  return { clusterId, topicId, offset, writtenAt }
}
