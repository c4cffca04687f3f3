/**
 * Everything one transaction appends: for each topic partition the batches being filled.
 *
 * A record is a savepoint: `release` keeps what it wrote, `rollback` takes it out of every batch it touched. A batch
 * is closed at seven eighths of what its topic takes, so a record of up to an eighth of that size always fits into an
 * open one. Fuller is better: a broker takes one batch of a partition in each request, and one request after the other.
 */
import { RecordBatchBuilder, RecordCursor, batchOverheadBytes } from '#log'
import type { BatchMark, TransactionAppend } from '#log'
import { processorError } from './errors.ts'

/** The share of what its topic takes at which a batch is closed. */
const fullShare = 7 / 8

/** Keeps the memory of batches whose transaction is over; of each topic for itself, since theirs differ in size. */
export class BuilderPool {
  readonly #free = new Map<string, RecordBatchBuilder[]>()
  readonly #maxBytes: number
  /** What is kept now. */
  #bytes = 0

  /** @param maxBytes kept of all topics together */
  constructor(maxBytes = 32 << 20) {
    this.#maxBytes = maxBytes
  }

  take(topic: string): RecordBatchBuilder {
    const kept = this.#free.get(topic)?.pop()
    if (kept === undefined) return new RecordBatchBuilder(16 << 10)
    this.#bytes -= kept.capacity
    return kept
  }

  give(topic: string, builder: RecordBatchBuilder): void {
    let free = this.#free.get(topic)
    if (free === undefined) this.#free.set(topic, (free = []))
    if (this.#bytes + builder.capacity > this.#maxBytes) return
    this.#bytes += builder.capacity
    builder.reset()
    free.push(builder)
  }
}

/** The batches for one topic partition. */
export class OutputTarget {
  readonly topic: string
  readonly partition: number
  readonly builders: RecordBatchBuilder[] = []
  readonly #maxBatchBytes: number
  readonly #pool: BuilderPool
  /** Where the record in process began to write here: after so many batches, -1 when it has not, … */
  #savedBatches = -1
  /** … and at this place of the last of them. Filled in again for each record. */
  readonly #savedMark: BatchMark = { length: 0, count: 0, maxTimestamp: 0 }

  constructor(topic: string, partition: number, maxBatchBytes: number, pool: BuilderPool) {
    this.topic = topic
    this.partition = partition
    this.#maxBatchBytes = maxBatchBytes
    this.#pool = pool
  }

  get byteLength(): number {
    return this.builders.reduce((sum, builder) => sum + builder.byteLength, 0)
  }

  /** The batch for the next record. */
  open(): RecordBatchBuilder {
    const { builders } = this
    if (builders.length > 0) {
      const last = builders[builders.length - 1] as RecordBatchBuilder
      if (last.byteLength < this.#maxBatchBytes * fullShare) return last
    }
    const builder = this.#pool.take(this.topic)
    builders.push(builder)
    return builder
  }

  /**
   * To be called after each record. One that does not fit behind the others gets a batch of its own: whether it is too
   * large must not depend on what the transaction wrote before it. Errors: PROCESSOR_OUTPUT_TOO_LARGE.
   */
  check(builder: RecordBatchBuilder): void {
    if (builder.byteLength <= this.#maxBatchBytes) return
    const alone = builder.count === 1 ? builder : this.#moveLast(builder)
    if (alone.byteLength <= this.#maxBatchBytes) return
    throw processorError(
      'PROCESSOR_OUTPUT_TOO_LARGE',
      `A record for ${this.topic} takes more than the topic's max.message.bytes (${this.#maxBatchBytes}). ` +
        'Make it smaller, or raise the limit of the topic.',
      { context: { topic: this.topic, partition: this.partition, maxBytes: this.#maxBatchBytes } },
    )
  }

  /** The same for the record written last, whoever wrote it. */
  checkLast(): void {
    const last = this.builders.at(-1)
    if (last !== undefined) this.check(last)
  }

  #moveLast(builder: RecordBatchBuilder): RecordBatchBuilder {
    const cursor = new RecordCursor([Buffer.from(builder.finish())])
    const count = builder.count - 1
    let length: number = batchOverheadBytes
    let maxTimestamp = 0
    for (let index = 0; index < count && cursor.next(); index++) {
      length = cursor.recordEnd
      maxTimestamp = Math.max(maxTimestamp, cursor.timestamp)
    }
    cursor.next()
    const moved = this.#pool.take(this.topic)
    moved.append(cursor.key(), cursor.value(), cursor.timestamp, cursor.headers())
    builder.rollback({ length, count, maxTimestamp })
    this.builders.push(moved)
    return moved
  }

  /** Notes the state before the record in process; true the first time since `release` or `rollback`. */
  save(): boolean {
    if (this.#savedBatches >= 0) return false
    const { builders } = this
    this.#savedBatches = builders.length
    if (builders.length > 0) (builders[builders.length - 1] as RecordBatchBuilder).mark(this.#savedMark)
    return true
  }

  release(): void {
    this.#savedBatches = -1
  }

  rollback(): void {
    if (this.#savedBatches < 0) return
    for (const builder of this.builders.splice(this.#savedBatches)) this.#pool.give(this.topic, builder)
    this.builders.at(-1)?.rollback(this.#savedMark)
    this.#savedBatches = -1
  }
}

export class TransactionOutputs {
  readonly #targets = new Map<string, OutputTarget[]>()
  readonly #pool: BuilderPool
  readonly #maxBatchBytes: (topic: string) => number
  /** Targets the record in process wrote to. */
  readonly #touched: OutputTarget[] = []
  /** How many of them count: the array is not emptied, which would allocate it again for each record. */
  #touchedCount = 0
  /** Bytes of records written so far; what was rolled back counts too. */
  writtenBytes = 0

  /** @param maxBatchBytes max.message.bytes of a topic */
  constructor(pool: BuilderPool, maxBatchBytes: (topic: string) => number) {
    this.#pool = pool
    this.#maxBatchBytes = maxBatchBytes
  }

  /** The target of a topic partition, with a savepoint for the record in process. */
  target(topic: string, partition: number): OutputTarget {
    let partitions = this.#targets.get(topic)
    if (partitions === undefined) {
      partitions = []
      this.#targets.set(topic, partitions)
    }
    let target = partitions[partition]
    if (target === undefined) {
      target = new OutputTarget(topic, partition, this.#maxBatchBytes(topic), this.#pool)
      partitions[partition] = target
    }
    if (target.save()) this.#touched[this.#touchedCount++] = target
    return target
  }

  release(): void {
    for (let index = 0; index < this.#touchedCount; index++) (this.#touched[index] as OutputTarget).release()
    this.#touchedCount = 0
  }

  rollback(): void {
    for (let index = 0; index < this.#touchedCount; index++) (this.#touched[index] as OutputTarget).rollback()
    this.#touchedCount = 0
  }

  get byteLength(): number {
    let bytes = 0
    for (const target of this.#all()) bytes += target.byteLength
    return bytes
  }

  /** The appends of the transaction, batches of one partition in order; empty batches left out. */
  appends(): TransactionAppend[] {
    const appends: TransactionAppend[] = []
    for (const { topic, partition, builders } of this.#all()) {
      for (const records of builders) if (records.count > 0) appends.push({ topic, partition, records })
    }
    return appends
  }

  /** Gives the memory back. Only once the outcome is known and applied. */
  recycle(): void {
    for (const { topic, builders } of this.#all()) {
      for (const builder of builders) this.#pool.give(topic, builder)
    }
    this.#targets.clear()
  }

  *#all(): Generator<OutputTarget> {
    // Partitions are sparse: a topic's array has holes where nothing was written.
    for (const partitions of this.#targets.values()) for (const target of partitions) if (target) yield target
  }
}
