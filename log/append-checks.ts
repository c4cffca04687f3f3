/** What an appender of any log refuses at once. */
import { logError } from './errors.ts'
import type { AppendRecord } from './log.ts'
import { partitionOf } from './partitioner.ts'
import { unknownTopic } from './topic-settings.ts'

/** Errors: LOG_CLOSED, LOG_OVERLOADED. */
export function assertAccepts(isClosed: boolean, bufferedBytes: number, bufferBytesMax: number): void {
  if (isClosed) throw logError('LOG_CLOSED', 'This appender is closed. Make another one.')
  if (bufferedBytes < bufferBytesMax) return
  throw logError(
    'LOG_OVERLOADED',
    `The append buffer is full (${bufferBytesMax} bytes). Try again when appends in flight are done.`,
  )
}

/** The one that the record names, or that of its key. Errors: LOG_UNKNOWN_TOPIC. */
export function partitionFor(
  record: AppendRecord,
  topic: { readonly name: string; readonly partitions: number },
): number {
  const partition = record.partition ?? partitionOf(record.key, topic.partitions)
  if (!Number.isInteger(partition) || partition < 0 || partition >= topic.partitions)
    throw unknownTopic(`${topic.name}-${partition}`)
  return partition
}
