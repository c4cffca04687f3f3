/**
 * The life of a task, by name. Every change is one log line.
 *
 *   created → restoring → running → closed
 *                 ▲──────────┘  (an unknown outcome: take over again)
 */
export type TaskStatus = 'created' | 'restoring' | 'running' | 'closed'

const next: Readonly<Record<TaskStatus, readonly TaskStatus[]>> = {
  created: ['restoring', 'closed'],
  restoring: ['running', 'restoring', 'closed'],
  running: ['restoring', 'closed'],
  closed: [],
}

/** The life of a stream thread. */
export type ThreadStatus = 'created' | 'starting' | 'running' | 'stopping' | 'stopped' | 'failed'

const nextThread: Readonly<Record<ThreadStatus, readonly ThreadStatus[]>> = {
  created: ['starting'],
  starting: ['running', 'stopping', 'failed'],
  running: ['stopping', 'failed'],
  stopping: ['stopped', 'failed'],
  stopped: [],
  failed: [],
}

export function mayBecome(from: TaskStatus, to: TaskStatus): boolean {
  return next[from].includes(to)
}

export function threadMayBecome(from: ThreadStatus, to: ThreadStatus): boolean {
  return nextThread[from].includes(to)
}
