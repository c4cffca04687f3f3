/** How the main thread directs a worker: an interface served over core's rpc on a port of its own. */
import type { MessagePort } from 'node:worker_threads'
import type { PositionsShare } from '#processor'
import type { Settings } from '../settings.ts'
import type { LogAccess } from './log-access.ts'
import type { MetricsSnapshot } from './metrics.ts'

export interface ThreadControl {
  /**
   * Takes and opens what the thread owns, in order. Resolves once all of it is this process's, or once the thread
   * waits for a log that is away.
   */
  open(): Promise<void>
  /** Opens, if that is not done. Resolves once the thread works. */
  start(): Promise<void>
  /** Pending as long as all is well; rejects with what stopped the thread's work. */
  failure(): Promise<void>
  /** What has to hold for the thread to be ready, by name. */
  checks(): Promise<Readonly<Record<string, boolean>>>
  metrics(): Promise<MetricsSnapshot>
  /** Closes in order, databases last; the thread may end afterwards, and must not before. Idempotent. */
  stop(): Promise<void>
}

export interface ThreadData {
  readonly settings: Settings
  /** Log lines for humans (a terminal) instead of JSON. */
  readonly readableLogs: boolean
  readonly control: MessagePort
}

export interface EngineThreadData extends ThreadData {
  /** The embedded log is served on each. */
  readonly logs: readonly MessagePort[]
  /** One of several stream threads; undefined: the only one, which claims the state directory by itself. */
  readonly place: EnginePlace | undefined
}

export interface EnginePlace {
  readonly number: number
  readonly processId: string
  readonly positions: PositionsShare
}

export interface SinkThreadData extends ThreadData {
  readonly log: LogAccess
  /** Where a gateway in the same process has its reads of the SQL database served. */
  readonly reads: MessagePort | undefined
}
