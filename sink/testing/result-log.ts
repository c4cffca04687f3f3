/** A log of results in memory, as far as the sink uses one, for tests that are its master. */
import { systemClock, writeI64, ByteWriter } from '#core'
import { resultSerde } from '#domain/coupon'
import type { CouponResult } from '#domain/coupon'
import { FetchedRecords, RecordBatchBuilder, batchField, endOffsetOf, logError } from '#log'
import type { PartitionOffsets, Reader, TopicDescription, TopicPartition } from '#log'
import type { SinkLog } from '../log-identity.ts'

interface MemoryPartition {
  batches: Buffer[]
  start: number
  end: number
}

export class ResultLog implements SinkLog {
  readonly topic: string
  clusterId = 'cluster'
  topicId = 'topic'
  /** While true every call fails as if no broker answered. */
  away = false
  readonly #partitions: MemoryPartition[]
  readonly #readers = new Set<MemoryReader>()

  constructor(topic: string, partitions = 1) {
    this.topic = topic
    this.#partitions = Array.from({ length: partitions }, () => ({ batches: [], start: 0, end: 0 }))
  }

  readonly admin: SinkLog['admin'] = {
    describeTopics: async () => {
      this.check()
      const description: TopicDescription = {
        name: this.topic,
        topicId: this.topicId,
        partitions: this.#partitions.length,
        settings: {
          cleanup: 'delete',
          retentionMs: -1,
          timestamps: 'create',
          maxMessageBytes: 1024 * 1024,
          deleteRetentionMs: 0,
        },
      }
      return new Map([[this.topic, description]])
    },
    offsets: async (asked) => {
      this.check()
      return asked.map(({ topic, partition }): PartitionOffsets => {
        const { start, end } = this.partition(partition)
        return { topic, partition, start, highWatermark: end, lastStableOffset: end }
      })
    },
  }

  reader(): Reader {
    const reader = new MemoryReader(this, () => this.#readers.delete(reader))
    this.#readers.add(reader)
    return reader
  }

  /** One batch. */
  append(partition: number, results: readonly CouponResult[]): void {
    const values = results.map((result) => {
      const out = new ByteWriter()
      resultSerde.write(result, out)
      return out.toBuffer()
    })
    this.appendRaw(partition, values)
  }

  appendRaw(partition: number, values: readonly (Uint8Array | null)[]): void {
    const builder = new RecordBatchBuilder()
    for (const value of values) builder.append('key', value, 0)
    const batch = Buffer.from(builder.finish())
    const at = this.partition(partition)
    writeI64(batch, batchField.baseOffset, at.end)
    at.batches.push(batch)
    at.end += values.length
    for (const reader of this.#readers) reader.wakeup()
  }

  /** Offsets that readers never see: control records, aborted ones. */
  skip(partition: number, offsets: number): void {
    this.partition(partition).end += offsets
  }

  deleteBefore(partition: number, offset: number): void {
    const at = this.partition(partition)
    at.start = offset
    at.batches = at.batches.filter((batch) => endOffsetOf(batch) > offset)
  }

  end(partition: number): number {
    return this.partition(partition).end
  }

  partition(partition: number): MemoryPartition {
    const found = this.#partitions[partition]
    if (found === undefined) throw logError('LOG_UNKNOWN_TOPIC', `There is no partition ${partition}.`)
    return found
  }

  check(): void {
    if (this.away) throw logError('LOG_UNAVAILABLE', 'The log is away.')
  }
}

/** Small answers, so that batches of the sink are made of several. */
const batchesAPoll = 2

class MemoryReader implements Reader {
  readonly #log: ResultLog
  readonly #onClose: () => void
  readonly #positions = new Map<number, number>()
  readonly #paused = new Set<number>()
  #waiting: AbortController | undefined
  #closed = false

  constructor(log: ResultLog, onClose: () => void) {
    this.#log = log
    this.#onClose = onClose
  }

  seek({ partition }: TopicPartition, offset: number): void {
    this.#positions.set(partition, offset)
  }

  remove({ partition }: TopicPartition): void {
    this.#positions.delete(partition)
  }

  pause({ partition }: TopicPartition): void {
    this.#paused.add(partition)
  }

  resume({ partition }: TopicPartition): void {
    this.#paused.delete(partition)
  }

  position({ partition }: TopicPartition): number | undefined {
    return this.#positions.get(partition)
  }

  async poll(waitMs: number): Promise<readonly FetchedRecords[]> {
    const found = this.#fetch()
    if (found.length > 0) return found
    this.#waiting = new AbortController()
    await systemClock.sleep(waitMs, this.#waiting.signal)
    this.#waiting = undefined
    return this.#fetch()
  }

  wakeup(): void {
    this.#waiting?.abort()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.wakeup()
    this.#onClose()
  }

  #fetch(): FetchedRecords[] {
    if (this.#closed) throw logError('LOG_CLOSED', 'The reader is closed.')
    this.#log.check()
    const found: FetchedRecords[] = []
    for (const [partition, position] of this.#positions) {
      if (this.#paused.has(partition)) continue
      const { batches, start, end } = this.#log.partition(partition)
      if (position < start || position > end) {
        throw logError('LOG_OFFSET_OUT_OF_RANGE', `Offset ${position} is not in ${start}..${end}.`)
      }
      const rest = batches.filter((batch) => endOffsetOf(batch) > position)
      const answer = rest.slice(0, batchesAPoll)
      const last = answer.at(-1)
      const nextOffset = rest.length > answer.length && last !== undefined ? endOffsetOf(last) : end
      this.#positions.set(partition, nextOffset)
      if (last === undefined) continue
      const { topic } = this.#log
      const fetched = {
        topic,
        partition,
        startOffset: position,
        nextOffset,
        highWatermark: end,
        batches: answer,
      }
      found.push(new FetchedRecords(fetched))
    }
    return found
  }
}
