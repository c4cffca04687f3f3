import { RecordBatchBuilder, logError } from '../index.ts'
import type { AppendRecord, Appended, Appender, AppenderOptions, TopicDescription } from '../index.ts'
import { assertAccepts, partitionFor } from '../append-checks.ts'
import { isNoAnswer } from './network.ts'
import type { SimulatedLog } from './simulated-log.ts'

interface Waiting {
  readonly record: AppendRecord
  readonly size: number
  readonly resolve: (appended: Appended) => void
  readonly reject: (error: unknown) => void
}

interface Batch {
  readonly topic: TopicDescription
  readonly partition: number
  readonly bytes: Buffer
  readonly waiting: readonly Waiting[]
}

interface OpenBatch {
  readonly topic: TopicDescription
  readonly partition: number
  readonly builder: RecordBatchBuilder
  waiting: Waiting[]
}

const recordOverheadBytes = 16

/** Sends what came in one turn together, and the next only after it is answered: so a retry keeps the order. */
export class SimulatedAppender implements Appender {
  readonly #log: SimulatedLog
  readonly #bufferBytesMax: number
  #queue: Waiting[] = []
  #bytes = 0
  #sending: Promise<void> | undefined
  #closed = false

  constructor(log: SimulatedLog, options: AppenderOptions) {
    this.#log = log
    this.#bufferBytesMax = options.bufferBytesMax ?? 64 << 20
  }

  append(record: AppendRecord): Promise<Appended> {
    return new Promise((resolve, reject) => {
      assertAccepts(this.#closed, this.#bytes, this.#bufferBytesMax)
      const key = copied(record.key)
      const value = copied(record.value)
      const size = (key?.length ?? 0) + (value?.length ?? 0) + recordOverheadBytes
      this.#bytes += size
      this.#queue.push({ record: { ...record, key, value }, size, resolve, reject })
      this.#sending ??= this.#send()
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#sending
  }

  async #send(): Promise<void> {
    await this.#log.sleep(0)
    while (this.#queue.length > 0) {
      const turn = this.#queue
      this.#queue = []
      const batches = await this.#encode(turn)
      await Promise.all(batches.map((batch) => this.#append(batch)))
    }
    this.#sending = undefined
  }

  async #encode(turn: readonly Waiting[]): Promise<Batch[]> {
    const done: Batch[] = []
    const open = new Map<string, OpenBatch>()
    for (const waiting of turn) {
      const { record } = waiting
      try {
        const topic = await this.#log.describe(record.topic)
        const partition = partitionFor(record, topic)
        const name = `${topic.name}/${partition}`
        const batch = open.get(name) ?? {
          topic,
          partition,
          builder: new RecordBatchBuilder(1024),
          waiting: [],
        }
        open.set(name, batch)
        this.#add(batch, waiting, done)
      } catch (error) {
        this.#settle(waiting)
        waiting.reject(error)
      }
    }
    for (const batch of open.values()) if (batch.builder.count > 0) done.push(finished(batch))
    return done
  }

  #add(batch: OpenBatch, waiting: Waiting, done: Batch[]): void {
    const { key, value, timestamp = this.#log.broker.now, headers } = waiting.record
    const max = batch.topic.settings.maxMessageBytes
    const mark = batch.builder.mark()
    batch.builder.append(key, value, timestamp, headers)
    if (batch.builder.byteLength > max) {
      batch.builder.rollback(mark)
      if (batch.builder.count > 0) done.push(finished(batch))
      batch.builder.append(key, value, timestamp, headers)
      if (batch.builder.byteLength > max) {
        batch.builder.reset()
        throw logError(
          'LOG_RECORD_TOO_LARGE',
          `A record of about ${waiting.size} bytes is larger than ${batch.topic.name} takes (${max} bytes a batch).`,
        )
      }
    }
    batch.waiting.push(waiting)
  }

  async #append({ topic, partition, bytes, waiting }: Batch): Promise<void> {
    const { broker } = this.#log
    const request = this.#log.nextRequest()
    try {
      const base = await this.#log.retrying({ name: 'append', topic: topic.name, partition }, async () => {
        const target = broker.topics.partition({ topic: topic.name, partition })
        const offset = target.append([bytes], request, broker.now)
        await broker.durability.wait()
        return offset
      })
      for (const [index, { resolve }] of waiting.entries()) resolve({ partition, offset: base + index })
    } catch (error) {
      this.#log.forget(topic.name)
      const failure = isNoAnswer(error) ? unknown(error) : error
      for (const { reject } of waiting) reject(failure)
    } finally {
      for (const each of waiting) this.#settle(each)
    }
  }

  #settle({ size }: Waiting): void {
    this.#bytes -= size
  }
}

/** The batch is complete; its builder begins another one. */
function finished(batch: OpenBatch): Batch {
  const { topic, partition, builder, waiting } = batch
  const bytes = Buffer.from(builder.finish())
  builder.reset()
  batch.waiting = []
  return { topic, partition, bytes, waiting }
}

function copied(bytes: Uint8Array | string | null): Uint8Array | string | null {
  return bytes === null || typeof bytes === 'string' ? bytes : Uint8Array.from(bytes)
}

function unknown(cause: unknown): Error {
  return logError('LOG_APPEND_UNKNOWN', 'The log did not answer; the record may be in it or not.', { cause })
}
