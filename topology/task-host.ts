/** The seam between a topology and what runs it: the runtime lends stores and time, and takes what leaves at sinks. */
import type { RecordHeaders } from '#core'
import type { SinkNode } from './graph.ts'
import type { StoreSpec } from './store.ts'

export interface TaskHost {
  readonly taskId: string
  /** The KeyValueStore or SetStore for a specification; asked once a store, when the task is built. */
  store(spec: StoreSpec): unknown
  /** Milliseconds since the epoch; see ProcessorContext.streamTime. */
  streamTime(): number
  /** Wall-clock time, milliseconds since the epoch. For the instants of wall-clock punctuators only. */
  wallClock(): number
  /** A record leaves at a sink. The host encodes it at once, so key and value may be reused afterwards. */
  send(sink: SinkNode, key: unknown, value: unknown, timestamp: number, headers: RecordHeaders): void
}

/** A record as it lies in a fetched buffer; an end below its start means null. `log`'s RecordCursor has this shape. */
export interface EncodedRecord {
  readonly buffer: Buffer
  readonly offset: number
  readonly timestamp: number
  readonly keyStart: number
  readonly keyEnd: number
  readonly valueStart: number
  readonly valueEnd: number
  readonly hasHeaders: boolean
  headers(): RecordHeaders
}
