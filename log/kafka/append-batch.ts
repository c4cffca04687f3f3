import type { RecordBatchBuilder, Appended } from '../index.ts'
import { sequenceAfter } from './stamp.ts'

type Resolve = (appended: Appended) => void
type Reject = (error: unknown) => void

/** Records of one partition that travel together, with those who wait for their offsets. */
export class AppendBatch {
  readonly partition: number
  readonly builder: RecordBatchBuilder
  /** When it is given up, milliseconds since the Unix epoch. */
  readonly deadline: number
  readonly #resolves: Resolve[] = []
  readonly #rejects: Reject[] = []
  /** Bytes of the records as their callers were charged for them. */
  bufferedBytes = 0
  /** Set once it has its place in the producer's sequence; it keeps it for every retry. */
  baseSequence: number | undefined
  /** Some try of it got no answer that says whether it was appended. */
  ambiguous = false
  /** What the last try was answered; undefined for no answer. */
  lastCode: number | undefined
  lastError: unknown
  #bytes: Buffer | undefined

  constructor(partition: number, builder: RecordBatchBuilder, deadline: number) {
    this.partition = partition
    this.builder = builder
    this.deadline = deadline
  }

  get count(): number {
    return this.#resolves.length
  }

  /** The encoded batch. It stays the same from the first call on. */
  bytes(): Buffer {
    this.#bytes ??= this.builder.finish()
    return this.#bytes
  }

  add(resolve: Resolve, reject: Reject, bytes: number): void {
    this.#resolves.push(resolve)
    this.#rejects.push(reject)
    this.bufferedBytes += bytes
  }

  resolve(baseOffset: number): void {
    const { partition } = this
    for (let index = 0; index < this.#resolves.length; index++)
      (this.#resolves[index] as Resolve)({ partition, offset: baseOffset + index })
  }

  reject(error: unknown): void {
    for (const reject of this.#rejects) reject(error)
  }

  /**
   * The same records in two batches at the same place of the sequence, for a topic that takes less than it said.
   * @param encode appends the records from `start` (inclusive) to `end` (exclusive) to a fresh builder
   */
  split(encode: (batch: Buffer, start: number, end: number) => RecordBatchBuilder): AppendBatch[] {
    const half = this.count >> 1
    return [
      [0, half],
      [half, this.count],
    ].map(([start = 0, end = 0]) => {
      const part = new AppendBatch(this.partition, encode(this.bytes(), start, end), this.deadline)
      for (let index = start; index < end; index++)
        part.add(this.#resolves[index] as Resolve, this.#rejects[index] as Reject, 0)
      part.bufferedBytes = (this.bufferedBytes * (end - start)) / this.count
      part.ambiguous = this.ambiguous
      if (this.baseSequence !== undefined) part.baseSequence = sequenceAfter(this.baseSequence, start)
      return part
    })
  }
}
