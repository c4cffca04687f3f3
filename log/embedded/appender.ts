import { isMillraceError, messageOf } from '#core'
import type { Clock } from '#core'
import { RecordBatchBuilder, logError } from '../index.ts'
import type { AppendRecord, Appended, Appender, AppenderOptions, TopicDescription } from '../index.ts'
import { assertAccepts, partitionFor } from '../append-checks.ts'
import { WaitingRecords } from '../waiting-records.ts'
import type { Reject, Resolve } from '../waiting-records.ts'
import type { AppendReply, BatchTarget, BrokerApi } from './broker-api.ts'
import type { TopicDirectory } from './topic-directory.ts'

/** One batch on its way, with those who wait for its offsets. */
class PendingBatch {
  readonly target: BatchTarget
  readonly topic: string
  readonly #resolves: Resolve[] = []
  readonly #rejects: Reject[] = []
  /** Set when it is full before the turn ends; otherwise it lies in its partition's builder. */
  bytes: Buffer | undefined

  constructor(topic: TopicDescription, partition: number) {
    this.target = { topicId: topic.topicId, partition }
    this.topic = topic.name
  }

  add(resolve: Resolve, reject: Reject): void {
    this.#resolves.push(resolve)
    this.#rejects.push(reject)
  }

  resolve(baseOffset: number): void {
    const { partition } = this.target
    for (const [index, resolve] of this.#resolves.entries())
      resolve({ partition, offset: baseOffset + index })
  }

  reject(error: unknown): void {
    for (const reject of this.#rejects) reject(error)
  }
}

/** Where the records of one partition are collected during a turn. */
interface PartitionBuffer {
  builder: RecordBatchBuilder
  pending: PendingBatch | undefined
}

/** Builders that grew beyond this are given up after their turn, bytes. */
const keptBuilderBytes = 1 << 20

/** Encodes the records of one turn of the event loop into one batch a partition, and sends one request for all. */
export class EmbeddedAppender implements Appender {
  readonly #broker: BrokerApi
  readonly #topics: TopicDirectory
  readonly #clock: Clock
  readonly #bufferBytesMax: number
  readonly #onClosed: (appender: EmbeddedAppender) => void
  /** By topic id, then by partition. */
  readonly #buffers = new Map<string, PartitionBuffer[]>()
  /** Batches of this turn in the order they began. */
  #turn: { readonly pending: PendingBatch; readonly buffer: PartitionBuffer }[] = []
  #turnBytes = 0
  #flightBytes = 0
  readonly #flights = new Set<Promise<void>>()
  readonly #waiting: WaitingRecords<TopicDescription>
  #closing: Promise<void> | undefined

  constructor(options: {
    readonly broker: BrokerApi
    readonly topics: TopicDirectory
    readonly clock: Clock
    readonly appender: AppenderOptions
    readonly onClosed: (appender: EmbeddedAppender) => void
  }) {
    this.#broker = options.broker
    this.#topics = options.topics
    this.#clock = options.clock
    this.#bufferBytesMax = options.appender.bufferBytesMax ?? 64 << 20
    this.#onClosed = options.onClosed
    this.#waiting = new WaitingRecords({
      lookUp: (topic) => this.#topics.lookUp(topic),
      append: (topic, record, resolve, reject) => this.#encode(topic, record, resolve, reject),
      failed: (_topic, error) => (isMillraceError(error, 'RPC_CLOSED') ? notAppended(error) : error),
    })
  }

  append(record: AppendRecord): Promise<Appended> {
    return new Promise((resolve, reject) => {
      const bufferedBytes = this.#turnBytes + this.#flightBytes + this.#waiting.bytes
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
    while (!this.#waiting.isEmpty || this.#turn.length > 0 || this.#flights.size > 0) {
      await Promise.all(this.#flights)
      await this.#clock.yield()
    }
    this.#onClosed(this)
  }

  #encode(topic: TopicDescription, record: AppendRecord, resolve: Resolve, reject: Reject): void {
    const partition = partitionFor(record, topic)
    const buffer = this.#bufferOf(topic.topicId, partition)
    const timestamp = record.timestamp ?? this.#clock.now()
    const { maxMessageBytes } = topic.settings
    const mark = buffer.builder.mark()
    let size = buffer.builder.append(record.key, record.value, timestamp, record.headers)
    if (buffer.builder.byteLength > maxMessageBytes) {
      buffer.builder.rollback(mark)
      if (buffer.pending !== undefined) {
        finish(buffer, buffer.pending)
        size = buffer.builder.append(record.key, record.value, timestamp, record.headers)
      }
      if (buffer.builder.byteLength > maxMessageBytes || buffer.builder.count === 0) {
        buffer.builder.reset()
        throw logError(
          'LOG_RECORD_TOO_LARGE',
          `A record of ${size} bytes is larger than ${topic.name} takes (${maxMessageBytes} bytes a batch).`,
        )
      }
    }
    this.#turnBytes += size
    if (buffer.pending === undefined) {
      buffer.pending = new PendingBatch(topic, partition)
      if (this.#turn.length === 0) setImmediate(() => this.#send())
      this.#turn.push({ pending: buffer.pending, buffer })
    }
    buffer.pending.add(resolve, reject)
  }

  #bufferOf(topicId: string, partition: number): PartitionBuffer {
    let buffers = this.#buffers.get(topicId)
    if (buffers === undefined) this.#buffers.set(topicId, (buffers = []))
    return (buffers[partition] ??= { builder: new RecordBatchBuilder(), pending: undefined })
  }

  #send(): void {
    const turn = this.#turn
    const bytes = this.#turnBytes
    this.#turn = []
    this.#turnBytes = 0
    this.#flightBytes += bytes
    const batches = turn.map(({ pending, buffer }) => pending.bytes ?? buffer.builder.finish())
    const data = Buffer.allocUnsafeSlow(batches.reduce((sum, batch) => sum + batch.length, 0))
    let at = 0
    for (const batch of batches) {
      data.set(batch, at)
      at += batch.length
    }
    for (const { buffer } of turn) {
      buffer.pending = undefined
      if (buffer.builder.byteLength > keptBuilderBytes) buffer.builder = new RecordBatchBuilder()
      else buffer.builder.reset()
    }
    const sent = turn.map(({ pending }) => pending)
    const reply = this.#broker.append({ targets: sent.map(({ target }) => target), data })
    const flight = this.#settle(sent, reply).finally(() => {
      this.#flightBytes -= bytes
      this.#flights.delete(flight)
    })
    this.#flights.add(flight)
  }

  async #settle(sent: readonly PendingBatch[], pendingReply: Promise<AppendReply>): Promise<void> {
    let reply: AppendReply
    try {
      reply = await pendingReply
    } catch (error) {
      const failure = appendError(error)
      for (const batch of sent) batch.reject(failure)
      return
    }
    for (const { index, code, message } of reply.refused) {
      const batch = sent[index] as PendingBatch
      if (code === 'LOG_UNKNOWN_TOPIC') {
        this.#topics.forget(batch.topic)
        this.#buffers.delete(batch.target.topicId)
      }
      batch.reject(logError(code, message))
    }
    for (const [index, batch] of sent.entries()) {
      const baseOffset = reply.baseOffsets[index] as number
      if (baseOffset >= 0) batch.resolve(baseOffset)
    }
  }
}

/** The batch is full: the next record of its partition begins another one. */
function finish(buffer: PartitionBuffer, pending: PendingBatch): void {
  pending.bytes = Buffer.from(buffer.builder.finish())
  buffer.builder.reset()
  buffer.pending = undefined
}

/** A connection that broke while the request was under way leaves its fate open. */
function appendError(error: unknown): unknown {
  return isMillraceError(error, 'RPC_CLOSED')
    ? logError('LOG_APPEND_UNKNOWN', 'The log closed before it answered; the record may be in it or not.', {
        cause: error,
      })
    : error
}

function notAppended(error: unknown): Error {
  return logError(
    'LOG_APPEND_FAILED',
    `The log did not answer (${messageOf(error)}); nothing was appended.`,
    {
      cause: error,
    },
  )
}
