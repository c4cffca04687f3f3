/**
 * A fresh application must not write where another has written: with two application ids on one log every output
 * would be there twice.
 */
import type { Log, PartitionOffsets, TopicPartition } from '#log'
import { processorError } from './errors.ts'

const pollWaitMs = 500

/**
 * For a task that begins from nothing: its outputs in its own partition number have to be empty.
 * Errors: PROCESSOR_OTHER_APP, and the log's.
 */
export async function assertOutputsEmpty(
  log: Log,
  outputs: readonly TopicPartition[],
  about: { readonly group: string; readonly task: string },
): Promise<void> {
  for (const edge of await log.admin.offsets(outputs)) {
    if (!(await hasRecords(log, edge))) continue
    throw processorError(
      'PROCESSOR_OTHER_APP',
      `${edge.topic}-${edge.partition} holds records, but application "${about.group}" has never worked on this log: ` +
        'everything would be written a second time. Use the application id that wrote them, or other topics.',
      { context: { ...about, topic: edge.topic } },
    )
  }
}

/** By reading: transactions that were given up leave offsets behind, and nothing else. */
async function hasRecords(log: Log, edge: PartitionOffsets): Promise<boolean> {
  if (edge.start === edge.highWatermark) return false
  const reader = log.reader({ pollBytesMax: 1 })
  try {
    reader.seek(edge, edge.start)
    while ((reader.position(edge) ?? edge.highWatermark) < edge.highWatermark) {
      for (const fetched of await reader.poll(pollWaitMs)) if (fetched.cursor().next()) return true
    }
    return false
  } finally {
    await reader.close()
  }
}
