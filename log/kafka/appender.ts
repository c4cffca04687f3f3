import { isMillraceError, messageOf } from '#core'
import type { BytesLike, Clock } from '#core'
import { RecordBatchBuilder, logError, partitionOf } from '../index.ts'
import type { AppendRecord, Appended, Appender, AppenderOptions } from '../index.ts'
import { AppendBatch } from './append-batch.ts'
import { AppendLane } from './append-lane.ts'
import { AppendSender } from './append-sender.ts'
import type { Cluster } from './cluster.ts'
import { unknownTopic } from './topic-directory.ts'
import type { TopicDirectory, WritableTopic } from './topic-directory.ts'

type Resolve = (appended: Appended) => void
type Reject = (error: unknown) => void

interface WaitingRecord {
  readonly record: AppendRecord
  readonly size: number
  readonly resolve: Resolve
  readonly reject: Reject
}

/** A batch is sent at this size, unless one record alone is larger. */
const batchBytesMax = 1 << 20
/** Builders kept for the next batches. */
const keptBuilders = 32

/**
 * Idempotent, acks=all. Records of one turn of the event loop, and those that come while five requests are under way,
 * travel together.
 */
export class KafkaAppender implements Appender {
  readonly #clock: Clock
  readonly #topics: TopicDirectory
  readonly #sender: AppendSender
  readonly #bufferBytesMax: number
  readonly #deliveryTimeoutMs: number
  readonly #onClosed: (appender: KafkaAppender) => void
  /** By topic, then by partition. */
  readonly #lanes = new Map<string, AppendLane[]>()
  readonly #builders: RecordBatchBuilder[] = []
  #bufferedBytes = 0
  /** By topic: records that came before the topic was looked up, in order. */
  readonly #waiting = new Map<string, WaitingRecord[]>()
  #closing: Promise<void> | undefined

  constructor(options: {
    readonly cluster: Cluster
    readonly topics: TopicDirectory
    readonly appender: AppenderOptions
    readonly requestTimeoutMs: number
    readonly deliveryTimeoutMs: number
    readonly onClosed: (appender: KafkaAppender) => void
  }) {
    this.#clock = options.cluster.clock
    this.#topics = options.topics
    this.#bufferBytesMax = options.appender.bufferBytesMax ?? 64 << 20
    this.#deliveryTimeoutMs = options.deliveryTimeoutMs
    this.#onClosed = options.onClosed
    this.#sender = new AppendSender({
      cluster: options.cluster,
      requestTimeoutMs: options.requestTimeoutMs,
      onUnknownTopic: (topic) => this.#forget(topic),
    })
  }

  append(record: AppendRecord): Promise<Appended> {
    return new Promise((resolve, reject) => {
      if (this.#closing !== undefined)
        throw logError('LOG_CLOSED', 'This appender is closed. Make another one.')
      if (this.#bufferedBytes >= this.#bufferBytesMax) {
        throw logError(
          'LOG_OVERLOADED',
          `The append buffer is full (${this.#bufferBytesMax} bytes). Try again when appends in flight are done.`,
        )
      }
      const topic = this.#topics.known(record.topic)
      if (topic === undefined || this.#waiting.has(record.topic)) this.#wait(record, resolve, reject)
      else this.#encode(topic, record, resolve, reject)
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#drain()
    return this.#closing
  }

  async #drain(): Promise<void> {
    while (this.#waiting.size > 0 || !this.#sender.isIdle) {
      await this.#sender.settled()
      await this.#clock.sleep(1)
    }
    await this.#sender.close()
    this.#onClosed(this)
  }

  #encode(topic: WritableTopic, record: AppendRecord, resolve: Resolve, reject: Reject): void {
    const partition = record.partition ?? partitionOf(record.key, topic.partitions)
    if (!Number.isInteger(partition) || partition < 0 || partition >= topic.partitions)
      throw unknownTopic(`${topic.name}-${partition}`)
    const lane = this.#laneOf(topic.name, partition)
    const timestamp = record.timestamp ?? this.#clock.now()
    let batch = (lane.filling ??= this.#newBatch(partition))
    const mark = batch.builder.mark()
    let size = batch.builder.append(record.key, record.value, timestamp, record.headers)
    if (batch.builder.byteLength > Math.min(batchBytesMax, topic.maxMessageBytes) && batch.count > 0) {
      batch.builder.rollback(mark)
      lane.queue.push(batch)
      batch = lane.filling = this.#newBatch(partition)
      size = batch.builder.append(record.key, record.value, timestamp, record.headers)
    }
    if (batch.builder.byteLength > topic.maxMessageBytes) {
      lane.filling = undefined
      this.#recycle(batch)
      throw logError(
        'LOG_RECORD_TOO_LARGE',
        `A record of ${size} bytes is larger than ${topic.name} takes (${topic.maxMessageBytes} bytes a batch).`,
      )
    }
    batch.add(resolve, reject, size)
    this.#bufferedBytes += size
    this.#sender.ready(lane)
  }

  #laneOf(topic: string, partition: number): AppendLane {
    let lanes = this.#lanes.get(topic)
    if (lanes === undefined) this.#lanes.set(topic, (lanes = []))
    return (lanes[partition] ??= new AppendLane({ topic, partition }, (batch) => {
      this.#bufferedBytes -= batch.bufferedBytes
      this.#recycle(batch)
    }))
  }

  #newBatch(partition: number): AppendBatch {
    const builder = this.#builders.pop() ?? new RecordBatchBuilder()
    return new AppendBatch(partition, builder, this.#clock.now() + this.#deliveryTimeoutMs)
  }

  #recycle({ builder }: AppendBatch): void {
    if (this.#builders.length >= keptBuilders || builder.byteLength > 2 * batchBytesMax) return
    builder.reset()
    this.#builders.push(builder)
  }

  /** The topic is gone; one of that name may come again. */
  #forget(topic: string): void {
    this.#topics.forget(topic)
    this.#lanes.delete(topic)
  }

  /** Keeps a copy: the caller may reuse its memory after the call. */
  #wait(record: AppendRecord, resolve: Resolve, reject: Reject): void {
    const key = copied(record.key)
    const value = copied(record.value)
    const size = (key?.length ?? 0) + (value?.length ?? 0)
    const entry: WaitingRecord = { record: { ...record, key, value }, size, resolve, reject }
    this.#bufferedBytes += size
    const waiting = this.#waiting.get(record.topic)
    if (waiting !== undefined) {
      waiting.push(entry)
      return
    }
    this.#waiting.set(record.topic, [entry])
    void this.#lookUp(record.topic)
  }

  async #lookUp(name: string): Promise<void> {
    let topic: WritableTopic | undefined
    let failure: unknown
    try {
      topic = await this.#topics.lookUp(name)
    } catch (error) {
      failure = isMillraceError(error, 'LOG_UNKNOWN_TOPIC') ? error : notAppended(name, error)
    }
    const waiting = this.#waiting.get(name) ?? []
    this.#waiting.delete(name)
    for (const { record, size, resolve, reject } of waiting) {
      this.#bufferedBytes -= size
      try {
        if (topic === undefined) throw failure
        this.#encode(topic, record, resolve, reject)
      } catch (error) {
        reject(error)
      }
    }
  }
}

function copied(bytes: BytesLike | null): BytesLike | null {
  return bytes === null || typeof bytes === 'string' ? bytes : Uint8Array.from(bytes)
}

function notAppended(topic: string, cause: unknown): Error {
  return logError(
    'LOG_APPEND_FAILED',
    `Records for ${topic} were not appended: ${messageOf(cause)} Append them again.`,
    { cause },
  )
}
