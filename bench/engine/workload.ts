/** What a stream thread is given to do: input to preload, the topology that reads it, and how to see that it was done right. */
import type { AppendRecord, Log, TopicSpec } from '#log'
import type { Topology } from '#topology'
import { claims } from './claims.ts'
import type { ClaimsSpec } from './claims.ts'
import { puts } from './puts.ts'
import type { PutsSpec } from './puts.ts'

/** As data, so that it travels to a child process. */
export type WorkloadSpec = ClaimsSpec | PutsSpec

export interface Workload {
  /** Names the group, the changelogs and the state's folder. */
  readonly appId: string
  readonly topology: Topology
  readonly topics: readonly TopicSpec[]
  readonly inputTopic: string
  /** Input records. */
  readonly records: number
  input(): Iterable<AppendRecord>
  /** Once all is committed: throws when the outputs in the log are not what they must be. */
  checkOutputs(log: Log): Promise<void>
  /** Of a stopped thread's state: throws when an entry is missing. */
  checkState(stateDirectory: string): Promise<void>
}

export function workloadOf(spec: WorkloadSpec): Workload {
  return spec.kind === 'claims' ? claims(spec) : puts(spec)
}
