import type { ResultBatch } from './intake.ts'
import type { LogIdentity } from './log-identity.ts'

/**
 * A store that follows the results. Data and offsets move together or not at all.
 * Errors of every call: SINK_STORE_UNAVAILABLE (retry), others stop the sink.
 */
export interface Store {
  readonly name: 'sql' | 'redis'
  /** The beginning of a sentence about what it holds; plural. */
  readonly title: string
  readonly lingerMs: number
  /** Connects, makes what is missing, and reads the next offset of each partition. Errors: SINK_LOG_CHANGED. */
  positions(identity: LogIdentity, signal: AbortSignal): Promise<number[]>
  /** False, and nothing changed: the store does not stand where the batch begins. Read `positions` again. */
  apply(batch: ResultBatch, identity: LogIdentity, signal: AbortSignal): Promise<boolean>
  /** Called between batches. */
  maintain(signal: AbortSignal): Promise<void>
}
