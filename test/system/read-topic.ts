/** Whole topics, read as a read_committed consumer does. */
import { everyPartition } from '#log'
import type { FetchedRecords, Log } from '#log'

export interface TopicRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** The last value of each key, as text. */
  readonly headers: ReadonlyMap<string, string>
}

/** Every record of every partition, as of now. */
export async function readTopic(log: Log, topic: string): Promise<TopicRecord[][]> {
  const records: TopicRecord[][] = Array.from({ length: await partitionsOf(log, topic) }, () => [])
  for await (const fetched of fetchTopic(log, topic)) {
    for (const cursor = fetched.cursor(); cursor.next();) {
      records[fetched.partition]?.push({
        offset: cursor.offset,
        timestamp: cursor.timestamp,
        key: copyOf(cursor.key()),
        value: copyOf(cursor.value()),
        headers: new Map(cursor.headers().map(({ key, value }) => [key, value?.toString() ?? ''])),
      })
    }
  }
  return records
}

/** The same, piece by piece: for topics of any size. */
export async function* fetchTopic(log: Log, topic: string): AsyncGenerator<FetchedRecords> {
  const partitions = everyPartition(topic, await partitionsOf(log, topic))
  const edges = await log.admin.offsets(partitions)
  const reader = log.reader()
  try {
    for (const edge of edges) reader.seek(edge, edge.start)
    while (edges.some((edge) => (reader.position(edge) ?? 0) < edge.highWatermark))
      yield* await reader.poll(1000)
  } finally {
    await reader.close()
  }
}

async function partitionsOf(log: Log, topic: string): Promise<number> {
  const description = (await log.admin.describeTopics([topic])).get(topic)
  if (description === undefined) throw new Error(`there is no topic ${topic}`)
  return description.partitions
}

function copyOf(view: Buffer | null): Buffer | null {
  return view === null ? null : Buffer.from(view)
}
