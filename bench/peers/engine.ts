/** A stream processor on Kafka, in a process of its own: ours or a peer. */
import type { WorkloadSpec } from '../engine/workload.ts'
import type { ProcessFootprint, ProcessUsage } from './process-usage.ts'

/** One process of an application on one broker. Its topics exist, its state directory need not. */
export interface EngineRun {
  /** `host:port,…`. */
  readonly brokers: string
  /** With an application of its own. */
  readonly workload: WorkloadSpec
  /** Kept after the process has ended; another one restores from nothing. No two processes share one. */
  readonly stateDirectory: string
}

export interface RunningEngine {
  /** Resolves once it has its tasks and every store is restored; rejects when it ends before. */
  running(): Promise<void>
  /** Rejects when the process ends unasked, with why; never resolves. */
  readonly failed: Promise<never>
  usage(): ProcessUsage
  footprint(): ProcessFootprint
  /** Once it runs: how long it restored state, from its first store to its last. */
  restoreSeconds(): number
  /** Partitions of the input whose tasks it works on now, ascending; only of one that has one stream thread. */
  tasks(): Promise<readonly number[]>
  /** Lets one of its stream threads end by an error that nobody expected; it is replaced. Needs two of them. */
  loseThread(): void
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
