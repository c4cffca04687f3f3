import { isMillraceError, messageOf } from '#core'
import type { Clock } from '#core'
import { RecordBatchBuilder, logError } from '../index.ts'
import type { AppendRecord, Appended, Appender, AppenderOptions } from '../index.ts'
import { assertAccepts, partitionFor } from '../append-checks.ts'
import { WaitingRecords } from '../waiting-records.ts'
import type { Reject, Resolve } from '../waiting-records.ts'
import { AppendBatch } from './append-batch.ts'
import { AppendLane } from './append-lane.ts'
import { AppendSender } from './append-sender.ts'
import type { Cluster } from './cluster.ts'
import type { TopicDirectory, WritableTopic } from './topic-directory.ts'

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
  readonly #waiting: WaitingRecords<WritableTopic>
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
    this.#waiting = new WaitingRecords({
      lookUp: (topic) => this.#topics.lookUp(topic),
      append: (topic, record, resolve, reject) => this.#encode(topic, record, resolve, reject),
      failed: (topic, error) =>
        isMillraceError(error, 'LOG_UNKNOWN_TOPIC') ? error : notAppended(topic, error),
    })
    this.#sender = new AppendSender({
      cluster: options.cluster,
      requestTimeoutMs: options.requestTimeoutMs,
      onUnknownTopic: (topic) => this.#forget(topic),
    })
  }

  append(record: AppendRecord): Promise<Appended> {
    return new Promise((resolve, reject) => {
      const bufferedBytes = this.#bufferedBytes + this.#waiting.bytes
      assertAccepts(this.#closing !== undefined, bufferedBytes, this.#bufferBytesMax)
      const topic = this.#topics.known(record.topic)
      if (topic === undefined || this.#waiting.has(record.topic)) this.#waiting.add(record, resolve, reject)
      else this.#encode(topic, record, resolve, reject)
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#drain()
    return this.#closing
  }

  async #drain(): Promise<void> {
    while (!this.#waiting.isEmpty || !this.#sender.isIdle) {
      await this.#sender.settled()
      await this.#clock.sleep(1)
    }
    await this.#sender.close()
    this.#onClosed(this)
  }

  #encode(topic: WritableTopic, record: AppendRecord, resolve: Resolve, reject: Reject): void {
    const partition = partitionFor(record, topic)
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
}

function notAppended(topic: string, cause: unknown): Error {
  return logError(
    'LOG_APPEND_FAILED',
    `Records for ${topic} were not appended: ${messageOf(cause)} Append them again.`,
    { cause },
  )
}
