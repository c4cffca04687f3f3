import type { Log, RecordCursor } from '#log'

/** Calls `use` with every committed record of a topic, partition by partition mixed, without keeping any. */
export async function eachRecord(
  log: Log,
  topic: string,
  use: (cursor: RecordCursor) => void,
): Promise<void> {
  const description = (await log.admin.describeTopics([topic])).get(topic)
  const partitions = Array.from({ length: description?.partitions ?? 0 }, (_, partition) => ({
    topic,
    partition,
  }))
  const edges = await log.admin.offsets(partitions)
  const reader = log.reader()
  try {
    for (const edge of edges) reader.seek(edge, edge.start)
    while (edges.some((edge) => (reader.position(edge) ?? 0) < edge.highWatermark)) {
      for (const fetched of await reader.poll(1000)) {
        for (const cursor = fetched.cursor(); cursor.next();) use(cursor)
      }
    }
  } finally {
    await reader.close()
  }
}
