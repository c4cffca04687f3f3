/** What a process does in threads of its own, however many, as its main thread sees it. */
import type { MillraceError } from '#core'
import type { Thread } from './thread.ts'

export interface ProcessWork {
  /** The threads that are up: theirs are the metrics. */
  threads(): readonly Thread[]
  /** Resolves once every directory is this process's, or once it waits for a log that is away. */
  open(): Promise<void>
  /** Resolves once all of it works. */
  start(): Promise<void>
  /** What has to hold for the process to be ready, by name. */
  checks(): Promise<Readonly<Record<string, boolean>>>
  /** Rejects when it cannot go on. */
  readonly failure: Promise<never>
  /** Ends it in order. Idempotent. */
  stop(): Promise<void>
}

/** One thread, whose end is the end of the process. */
export function singleThread(thread: Thread): ProcessWork {
  return {
    threads: () => [thread],
    open: () => thread.control.open(),
    start: () => thread.control.start(),
    checks: () => thread.control.checks().catch((_ended: MillraceError) => ({ thread: false })),
    failure: thread.failure,
    stop: () => thread.stop(),
  }
}
