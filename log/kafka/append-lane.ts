/**
 * One partition of an appender: its batches in order, its place in the idempotent producer's sequence, and what becomes
 * of batches that failed.
 *
 * The broker takes a batch only behind the one before it, and knows a batch that it has. So a batch is sent again in its
 * place as often as needed, and never in another place once it may have been appended. Where a batch is given up its
 * place stays empty: the partition goes on as another producer, with a fresh id from the broker, and batches behind the
 * gap that may have been appended are given up as unknown.
 *
 * A broker that knows nothing of a producer takes any of its batches as the first one (KAFKA-15591): were the first
 * refused in passing and the second taken, the order would be gone. So one batch at a time is sent until one is
 * acknowledged, and again after a failure or a silence.
 */
import { RecordBatchBuilder, RecordCursor, logError, partitionName } from '../index.ts'
import type { TopicPartition } from '../index.ts'
import { AppendBatch } from './append-batch.ts'
import { appendVerdict } from './append-verdict.ts'
import type { BrokerConnection } from './broker-connection.ts'
import { brokerError, isLeaderMoved, nameOfCode } from './broker-errors.ts'
import type { ProducerIdentity } from './protocol/init-producer-id.ts'
import { sequenceAfter } from './stamp.ts'

/** What a broker remembers of a producer and partition. */
export const inFlightMax = 5

/** A silence after which the broker may have forgotten the producer (`producer.id.expiration.ms`, a day by default). */
const silenceMs = 1000

const firstRetryWaitMs = 10
const lastRetryWaitMs = 1000

export class AppendLane implements TopicPartition {
  readonly topic: string
  readonly partition: number
  readonly #onSettled: (batch: AppendBatch) => void
  /** Being filled by the current turn. */
  filling: AppendBatch | undefined
  /** To be sent, in order; those with a sequence were sent before. */
  readonly queue: AppendBatch[] = []
  /** Sent, in order, on one connection. */
  #flight: AppendBatch[] = []
  #unanswered = 0
  /** Some batch in flight failed: what is in flight is waited for, then the rest is sent again in order. */
  #failing = false
  #nextSequence = 0
  /** When the broker last acknowledged a batch of this producer, milliseconds; it guards the order from then on. */
  #knownAt = -Infinity
  #failures = 0
  #connection: BrokerConnection | undefined
  /** Undefined until the first batch, and after a gap. */
  producer: ProducerIdentity | undefined
  /** The producer before had a gap: the next one must be another. */
  needsOwnProducer = false
  /** Metadata, a producer id or a connection is being asked for. */
  busy = false
  /** Its leader may have moved. */
  needsLeader = false
  /** Why it cannot send, for those whose records were never sent. */
  trouble: unknown
  retryAt = 0

  constructor({ topic, partition }: TopicPartition, onSettled: (batch: AppendBatch) => void) {
    this.topic = topic
    this.partition = partition
    this.#onSettled = onSettled
  }

  get hasWork(): boolean {
    return this.queue.length > 0 || this.filling !== undefined
  }

  get isIdle(): boolean {
    return !this.hasWork && this.#flight.length === 0
  }

  /** Its next batch may go out now (on `connection`: the order is kept on one connection only). */
  canSend(now: number, connection?: BrokerConnection): boolean {
    if (!this.hasWork || this.busy || this.#failing || now < this.retryAt) return false
    if (this.#flight.length >= (now - this.#knownAt < silenceMs ? inFlightMax : 1)) return false
    return this.#flight.length === 0 || connection === undefined || connection === this.#connection
  }

  /** The next batch, with its place in the sequence. Call `answered` or `unanswered` for it once. */
  take(producer: ProducerIdentity, connection: BrokerConnection): AppendBatch | undefined {
    const batch = this.queue.shift() ?? this.filling
    if (batch === undefined) return undefined
    if (batch === this.filling) this.filling = undefined
    this.producer = producer
    if (batch.baseSequence === undefined) {
      batch.baseSequence = this.#nextSequence
      this.#nextSequence = sequenceAfter(this.#nextSequence, batch.count)
    }
    this.#connection = connection
    this.#flight.push(batch)
    this.#unanswered++
    return batch
  }

  /** The broker's answer to a batch. */
  answered(batch: AppendBatch, code: number, baseOffset: number, message: string | null, now: number): void {
    const verdict = appendVerdict(code)
    if (isLeaderMoved(code)) this.needsLeader = true
    if (verdict === 'appended') {
      this.#failures = 0
      this.#knownAt = now
      batch.resolve(baseOffset)
      this.#settle(batch)
    } else if (verdict === 'appended-somewhere') {
      batch.reject(unknown(this, 'Kafka has it already and does not say where'))
      this.#settle(batch)
    } else {
      batch.lastCode = code
      batch.lastError = brokerError(code, `append to ${partitionName(this)}`, message)
      if (verdict === 'again-unknown') batch.ambiguous = true
      this.#failing = true
    }
    this.#oneAnswered(now)
  }

  /** No answer came. @param sent whether it may have reached the broker */
  unanswered(batch: AppendBatch, sent: boolean, error: unknown, now: number): void {
    batch.lastCode = undefined
    batch.lastError = error
    if (sent) batch.ambiguous = true
    this.needsLeader = true
    this.#failing = true
    this.#oneAnswered(now)
  }

  /** Gives up what has waited too long to be sent (again). */
  expire(now: number): void {
    const first = this.queue[0] ?? this.filling
    if (first === undefined || first.deadline > now || this.#flight.length > 0 || this.busy) return
    this.queue.push(...this.#outcomes(this.#takeWaiting(), now))
  }

  /** Fails everything that is not in flight with `error`, or as unknown where an earlier try may have succeeded. */
  failWaiting(error: unknown): void {
    for (const batch of this.#takeWaiting()) {
      batch.reject(batch.ambiguous ? unknown(this, error) : error)
      this.#settle(batch)
    }
    this.#startOver()
  }

  #takeWaiting(): AppendBatch[] {
    const waiting = this.queue.splice(0)
    if (this.filling !== undefined) waiting.push(this.filling)
    this.filling = undefined
    return waiting
  }

  #oneAnswered(now: number): void {
    this.#unanswered--
    if (!this.#failing || this.#unanswered > 0) return
    this.#failing = false
    this.#knownAt = -Infinity
    const failed = this.#flight
    this.#flight = []
    this.retryAt = now + Math.min(firstRetryWaitMs * 2 ** this.#failures++, lastRetryWaitMs)
    // With those that wait to be sent again: where a gap comes before them, their place is gone too.
    this.queue.unshift(...this.#outcomes([...failed, ...this.queue.splice(0)], now))
  }

  /** Gives up what is lost, and answers with what is to be sent again, in order. */
  #outcomes(batches: readonly AppendBatch[], now: number): AppendBatch[] {
    const again: AppendBatch[] = []
    let gap = false
    for (const batch of batches) {
      const verdict = batch.lastCode === undefined ? 'again' : appendVerdict(batch.lastCode)
      if (gap) {
        if (batch.ambiguous) this.#giveUp(batch, batch.lastError)
        else again.push(batch)
      } else if (verdict === 'too-large' && batch.count > 1) {
        again.push(...batch.split(encodePart))
      } else if (verdict === 'too-large') {
        batch.reject(tooLarge(this, batch))
        this.#settle(batch)
        gap = true
      } else if (verdict === 'sequence' && again.length === 0) {
        // It is the first that the broker lacks, so the broker has forgotten what came before it.
        gap = true
        if (batch.ambiguous || batch.deadline <= now) this.#giveUp(batch, batch.lastError)
        else again.push(batch)
      } else if (verdict === 'refused' || batch.deadline <= now) {
        gap ||= batch.baseSequence !== undefined
        this.#giveUp(batch, batch.lastError)
      } else again.push(batch)
    }
    for (const batch of again) {
      batch.lastCode = undefined
      if (gap) batch.baseSequence = undefined
    }
    if (gap) this.#startOver()
    return again
  }

  #startOver(): void {
    this.producer = undefined
    this.needsOwnProducer = true
    this.#nextSequence = 0
    this.#knownAt = -Infinity
  }

  #giveUp(batch: AppendBatch, lastError: unknown): void {
    const reason = lastError ?? this.trouble
    batch.reject(batch.ambiguous ? unknown(this, reason) : notAppended(this, reason))
    this.#settle(batch)
  }

  #settle(batch: AppendBatch): void {
    const index = this.#flight.indexOf(batch)
    if (index >= 0) this.#flight.splice(index, 1)
    this.#onSettled(batch)
  }
}

function encodePart(batch: Buffer, start: number, end: number): RecordBatchBuilder {
  const builder = new RecordBatchBuilder()
  const cursor = new RecordCursor([batch])
  for (let index = 0; index < end && cursor.next(); index++) {
    if (index < start) continue
    const headers = cursor.hasHeaders ? cursor.headers() : []
    builder.append(cursor.key(), cursor.value(), cursor.timestamp, headers)
  }
  return builder
}

function reasonOf(reason: unknown): string {
  if (reason instanceof Error) return reason.message
  return typeof reason === 'string' ? reason : 'no broker could be reached'
}

function unknown(place: TopicPartition, reason: unknown): Error {
  return logError(
    'LOG_APPEND_UNKNOWN',
    `Records for ${partitionName(place)} may be in the log or not: ${reasonOf(reason)}`,
    { cause: reason },
  )
}

function notAppended(place: TopicPartition, reason: unknown): Error {
  return logError(
    'LOG_APPEND_FAILED',
    `Records for ${partitionName(place)} were not appended: ${reasonOf(reason)} Append them again.`,
    { cause: reason },
  )
}

function tooLarge(place: TopicPartition, batch: AppendBatch): Error {
  return logError(
    'LOG_RECORD_TOO_LARGE',
    `A record of ${batch.bytes().length} bytes is larger than ${place.topic} takes (${nameOfCode(batch.lastCode ?? 0)}).`,
  )
}
