import type { TopicPartition } from './log.ts'
import { RecordCursor } from './record-batch.ts'

/** What one poll brought of one partition: whole batches, committed data only. */
export class FetchedRecords implements TopicPartition {
  readonly topic: string
  readonly partition: number
  /** Records below it in the first batch are not part of the answer. */
  readonly startOffset: number
  /** Where reading goes on; may lie past the last record (control, aborted and compacted ones). */
  readonly nextOffset: number
  /** Exclusive end of what was durable when this was read; `highWatermark - nextOffset` is the lag. */
  readonly highWatermark: number
  /** Encoded batches (record-batch.ts) in offset order. */
  readonly batches: readonly Buffer[]

  constructor(fields: {
    readonly topic: string
    readonly partition: number
    readonly startOffset: number
    readonly nextOffset: number
    readonly highWatermark: number
    readonly batches: readonly Buffer[]
  }) {
    this.topic = fields.topic
    this.partition = fields.partition
    this.startOffset = fields.startOffset
    this.nextOffset = fields.nextOffset
    this.highWatermark = fields.highWatermark
    this.batches = fields.batches
  }

  /** Size of the batches, bytes. */
  get byteLength(): number {
    return this.batches.reduce((sum, batch) => sum + batch.length, 0)
  }

  cursor(): RecordCursor {
    return new RecordCursor(this.batches, this.startOffset)
  }
}
