/** Poison records: set aside in the same transaction, with where they came from and why. */
import { isMillraceError, messageOf } from '#core'
import type { RecordHeader } from '#core'
import type { RecordCursor } from '#log'
import type { TransactionOutputs } from './transaction-outputs.ts'

export function deadLetterTopic(topic: string): string {
  return `${topic}.dlq`
}

/** What a dead letter says went wrong. */
export function deadLetterCode(error: unknown): string {
  return isMillraceError(error) ? error.code : 'PROCESSOR_POISON'
}

const messageLengthMax = 1000

/** Appends the record to the dead-letter topic of its own, in its own partition number. Bytes stay as they were. */
export function writeDeadLetter(
  outputs: TransactionOutputs,
  source: { readonly topic: string; readonly partition: number },
  record: RecordCursor,
  error: unknown,
  maxBatchBytes: number,
): void {
  const about: RecordHeader[] = [
    { key: 'dlq-topic', value: source.topic },
    { key: 'dlq-partition', value: String(source.partition) },
    { key: 'dlq-offset', value: String(record.offset) },
    { key: 'dlq-code', value: deadLetterCode(error) },
    { key: 'dlq-message', value: messageOf(error).slice(0, messageLengthMax) },
    { key: 'dlq-attempt', value: '1' },
  ]
  const headers = record.hasHeaders ? record.headers() : []
  const key = record.key()
  let value = record.value()
  // A record that filled its own topic's limit does not fit with our headers on top: cut the value, and say so.
  const room = maxBatchBytes - 8192 - (key?.length ?? 0) - sizeOf(headers)
  if (value !== null && value.length > room) {
    about.push({ key: 'dlq-value-bytes', value: String(value.length) })
    value = value.subarray(0, Math.max(room, 0))
  }
  const target = outputs.target(deadLetterTopic(source.topic), source.partition)
  const builder = target.open()
  builder.append(key, value, record.timestamp, [...headers, ...about])
  target.check(builder)
}

function sizeOf(headers: readonly RecordHeader[]): number {
  return headers.reduce((sum, { key, value }) => sum + key.length * 3 + (value?.length ?? 0) * 3 + 16, 0)
}
