/** A stream processor of claims on Kafka, in a process of its own: ours or a peer. */
import type { ClaimsSpec } from '../engine/claims.ts'
import type { ProcessUsage } from './process-usage.ts'

/** One application on one broker. Its topics exist, its state directory need not. */
export interface EngineRun {
  /** `host:port,…`. */
  readonly brokers: string
  /** With an application of its own. */
  readonly claims: ClaimsSpec
  /** Kept after the process has ended; another one restores from nothing. */
  readonly stateDirectory: string
}

export interface RunningEngine {
  /** Resolves once it has its tasks and every store is restored; rejects when it ends before. */
  running(): Promise<void>
  /** Rejects when the process ends unasked, with why; never resolves. */
  readonly failed: Promise<never>
  usage(): ProcessUsage
  /** Once it runs: how long it restored state, from its first store to its last. */
  restoreSeconds(): number
  /** Commits what is open and ends. */
  stop(): Promise<void>
  /** kill -9. */
  kill(): Promise<void>
}

export interface Engine {
  readonly name: string
  /** Resolves when the process is spawned, not yet working. */
  start(run: EngineRun): Promise<RunningEngine>
}
