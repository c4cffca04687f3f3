/** What was fetched of one input partition and not processed yet, record by record. */
import type { FetchedRecords, RecordCursor } from '#log'

export class InputQueue {
  readonly topic: string
  readonly partition: number
  /** Next offset to process (exclusive end of what is processed). */
  position = 0
  /** Bytes fetched and not yet processed, counted by fetch. */
  bufferedBytes = 0
  /** Exclusive end of the log when last fetched. */
  highWatermark = 0
  readonly #fetched: FetchedRecords[] = []
  #cursor: RecordCursor | undefined

  constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  /**
   * Takes what continues the input, and ignores the rest: a poll that was on its way while the position was moved
   * brings records of before.
   */
  push(fetched: FetchedRecords): void {
    const expected = this.#fetched.at(-1)?.nextOffset ?? this.position
    if (fetched.startOffset !== expected) return
    this.#fetched.push(fetched)
    this.bufferedBytes += fetched.byteLength
    this.highWatermark = fetched.highWatermark
  }

  /** The next record, or undefined when nothing is buffered. The same one until `advance`. */
  head(): RecordCursor | undefined {
    return this.#cursor ?? this.#next()
  }

  /** The head is processed. */
  advance(): void {
    const cursor = this.#cursor
    if (cursor === undefined) return
    this.position = cursor.offset + 1
    if (!cursor.next()) this.#finishFetch()
  }

  /** Drops what is buffered and goes on from `position`. */
  reset(position: number): void {
    this.#fetched.length = 0
    this.#cursor = undefined
    this.bufferedBytes = 0
    this.position = position
  }

  #next(): RecordCursor | undefined {
    for (let fetched = this.#fetched[0]; fetched !== undefined; fetched = this.#fetched[0]) {
      const cursor = fetched.cursor()
      this.#cursor = cursor
      if (cursor.next()) return cursor
      this.#finishFetch()
    }
    return undefined
  }

  #finishFetch(): void {
    const done = this.#fetched.shift()
    this.#cursor = undefined
    if (done === undefined) return
    this.position = Math.max(this.position, done.nextOffset)
    this.bufferedBytes -= done.byteLength
  }
}
