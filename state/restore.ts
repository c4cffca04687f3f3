/**
 * Restoring a task's stores from their changelogs.
 *
 * Reads read_committed until the fetch position (past control, aborted and compacted records too) reaches the high
 * watermark seen at the start, so a task never processes on top of a state that lacks a committed write. Each poll
 * is one write with its own checkpoint: a crash in the middle continues where it was.
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
  /** Changelog offsets: where it goes on, and where it ends (both exclusive). */
  readonly position: number
  readonly target: number
}

export interface RestoreOptions {
  readonly log: Log
  readonly clock: Clock
  readonly state: TaskState
  readonly changelogs: readonly StoreChangelog[]
  readonly signal: AbortSignal
  readonly onProgress?: (progress: RestoreProgress) => void
}

/** How long one poll waits for records; only a log that is behind its own high watermark makes it wait. */
const pollWaitMs = 500

/** Brings every store up to its changelog's high watermark; returns the number of records applied. */
export async function restoreStores(options: RestoreOptions): Promise<number> {
  const behind = new Map<string, StoreChangelog>()
  const reader = options.log.reader()
  try {
    for (const changelog of options.changelogs) {
      const from = options.state.checkpoint(changelog.store)?.offset ?? changelog.facts.start
      if (from >= changelog.facts.end) continue
      reader.seek(changelog, from)
      behind.set(changelog.topic, changelog)
    }
    let restored = 0
    while (behind.size > 0 && !options.signal.aborted) restored += await restoreOnce(options, reader, behind)
    return restored
  } finally {
    await reader.close()
  }
}

async function restoreOnce(
  options: RestoreOptions,
  reader: Reader,
  behind: Map<string, StoreChangelog>,
): Promise<number> {
  let restored = 0
  for (const records of await reader.poll(pollWaitMs)) {
    const changelog = behind.get(records.topic)
    if (changelog === undefined) continue
    const { clusterId, topicId } = changelog.facts
    const writtenAt = options.clock.now()
    restored += options.state.restore(changelog.store, records, {
      clusterId,
      topicId,
      offset: records.nextOffset,
      writtenAt,
    })
  }
  for (const [topic, changelog] of behind) {
    const position = reader.position(changelog) ?? 0
    options.onProgress?.({ store: changelog.store, position, target: changelog.facts.end })
    if (position < changelog.facts.end) continue
    behind.delete(topic)
    reader.remove(changelog)
  }
  return restored
}
