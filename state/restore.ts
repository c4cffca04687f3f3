/**
 * Restoring a task's stores from their changelogs.
 *
 * Reads read_committed until the fetch position (past control, aborted and compacted records too) reaches the high
 * watermark seen at the start, so a task never processes on top of a state that lacks a committed write. What a poll
 * brings of one store is one write with its own checkpoint: a crash in the middle continues where it was.
 */
import type { Clock } from '#core'
import type { Log, Reader } from '#log'
import type { ChangelogFacts } from './checkpoint.ts'
import type { TaskState } from './task-state.ts'

export interface StoreChangelog {
  readonly store: string
  readonly topic: string
  readonly partition: number
  readonly facts: ChangelogFacts
}

export interface RestoreProgress {
  readonly store: string
  /** Changelog offsets: where it began, where it goes on, and where it ends (the last two exclusive). */
  readonly from: number
  readonly position: number
  readonly target: number
  /** Records applied since the progress before, and their size in bytes. */
  readonly records: number
  readonly bytes: number
}

export interface RestoreOptions {
  readonly log: Log
  readonly clock: Clock
  readonly state: TaskState
  readonly changelogs: readonly StoreChangelog[]
  readonly signal: AbortSignal
  /** Waited for before each write, so that others have their turn; each is at most one fetch of one partition. */
  readonly turn?: (signal: AbortSignal) => Promise<void>
  readonly onProgress?: (progress: RestoreProgress) => void
}

/** How long one poll waits for records; only a log that is behind its own high watermark makes it wait. */
const pollWaitMs = 500

interface Behind extends StoreChangelog {
  readonly from: number
}

/** Brings every store up to its changelog's high watermark; returns the number of records applied. */
export async function restoreStores(options: RestoreOptions): Promise<number> {
  const startedAt = options.clock.now()
  const behind = new Map<string, Behind>()
  const reader = options.log.reader()
  try {
    for (const changelog of options.changelogs) {
      const from = options.state.checkpoint(changelog.store)?.offset ?? changelog.facts.start
      if (from >= changelog.facts.end) continue
      reader.seek(changelog, from)
      behind.set(changelog.topic, { ...changelog, from })
    }
    let restored = 0
    while (behind.size > 0 && !options.signal.aborted) restored += await restoreOnce(options, reader, behind)
    const stores = options.changelogs.map(({ store }) => store)
    // Also where there was nothing to apply: each is complete up to the end that was found.
    if (!options.signal.aborted) options.state.renewCheckpoints(startedAt, stores)
    return restored
  } finally {
    await reader.close()
  }
}

async function restoreOnce(
  options: RestoreOptions,
  reader: Reader,
  behind: Map<string, Behind>,
): Promise<number> {
  const { state, clock, signal, turn, onProgress } = options
  let restored = 0
  for (const fetched of await reader.poll(pollWaitMs)) {
    const changelog = behind.get(fetched.topic)
    if (changelog === undefined) continue
    await turn?.(signal)
    if (signal.aborted) return restored
    const { store, from, facts } = changelog
    const { clusterId, topicId, end: target } = facts
    const position = fetched.nextOffset
    const records = state.restore(store, fetched, {
      clusterId,
      topicId,
      offset: position,
      writtenAt: clock.now(),
    })
    restored += records
    onProgress?.({ store, from, position, target, records, bytes: fetched.byteLength })
  }
  for (const [topic, changelog] of behind) {
    const { store, from, facts } = changelog
    const position = reader.position(changelog) ?? 0
    if (position < facts.end) continue
    behind.delete(topic)
    reader.remove(changelog)
    // The end may be markers and aborted records, of which nothing was written.
    onProgress?.({ store, from, position, target: facts.end, records: 0, bytes: 0 })
  }
  return restored
}
