/** What a stream thread is given, and what its parts share. */
import type { Clock, Logger, Metrics } from '#core'
import type { Log } from '#log'
import { taskDirectory } from '#state'
import type { StateStorage } from '#state'
import type { Topology } from '#topology'
import type { PlanOptions } from '../assignment/plan.ts'
import type { TaskPositions } from '../process-id.ts'
import type { PurgeLimits } from '../repartition-purge.ts'
import type { Signal } from '../signal.ts'
import type { TaskRegistry } from '../task-registry.ts'
import type { PoisonHandler } from '../task.ts'
import type { TopicCatalogue } from '../topics.ts'
import type { ThreadInstruments } from './instruments.ts'

export interface TransactionLimits {
  /** Input records of one transaction. */
  readonly recordsMax: number
  /** Output and changelog bytes of one transaction. */
  readonly bytesMax: number
  /** Milliseconds of computing before other work of the process gets its turn. */
  readonly sliceMsMax: number
}

export interface StreamThreadOptions {
  readonly topology: Topology
  readonly topics: TopicCatalogue
  readonly log: Log
  readonly appId: string
  readonly stateDir: string
  readonly storage: StateStorage
  /** Of the state directory. */
  readonly processId: string
  /** `<app>-<processId>-<thread>`; each transactional id adds its number. */
  readonly idPrefix: string
  readonly positions: TaskPositions
  /** Where the state of its tasks can be asked for; empty: nowhere. */
  readonly endPoint: string
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly limits: TransactionLimits
  readonly exclusiveOutputs: boolean
  readonly onPoison: PoisonHandler
  readonly repartitionPurge: PurgeLimits
  readonly partitionBufferBytesMax: number
  readonly placement: PlanOptions
  /** How long the state of a task that lives elsewhere stays on this disk, milliseconds. */
  readonly stateCleanupDelayMs: number
}

/** What the parts of one thread have in common. */
export interface ThreadContext extends StreamThreadOptions {
  readonly tasks: TaskRegistry
  readonly instruments: ThreadInstruments
  /** Wakes the loop: there may be something to do. */
  readonly signal: Signal
  /** Aborts when the thread is to end. */
  readonly stopped: AbortSignal
  /** Ends the thread with an error that happened outside of its loop. The first one counts. */
  readonly fail: (error: unknown) => void
}

export function directoryOf({ stateDir, appId }: StreamThreadOptions, taskId: string): string {
  return taskDirectory(stateDir, appId, taskId)
}
