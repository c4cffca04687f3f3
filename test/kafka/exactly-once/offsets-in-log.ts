/**
 * Every offset that a group has committed, as the broker's own topic has it. Asking for committed offsets from time to
 * time would miss some; and a coordinator that has just taken over may answer with older ones for a moment when it is
 * not asked for what is stable.
 */
import { RecordCursor } from '#log'
import type { PartitionOffset } from '#log'
import { committedBatches } from '../../../log/kafka/committed-batches.ts'
import { AnswerReader } from '../../../log/kafka/protocol/wire.ts'
import { withCluster } from '../open-cluster.ts'
import { wholeTopic } from '../whole-topic.ts'

const topic = '__consumer_offsets'
/** Of keys: 0 and 1 are committed offsets, others are of groups themselves. */
const offsetKeyVersionMax = 1

/**
 * In the order in which they were committed, partition by partition; those that were aborted are left out.
 * Errors: there are none at all.
 */
export async function offsetsInLog(brokers: string, group: string): Promise<PartitionOffset[]> {
  const found: PartitionOffset[] = []
  await withCluster(brokers, async (cluster) => {
    for await (const { fetched, from } of wholeTopic(cluster, topic)) {
      const { batches } = committedBatches(fetched.records, from, fetched.aborted)
      for (const cursor = new RecordCursor(batches, from); cursor.next();) {
        const place = placeOf(cursor.key(), group)
        // A tombstone forgets what was committed.
        const value = cursor.value()
        if (place !== undefined && value !== null) found.push({ ...place, offset: offsetOf(value) })
      }
    }
  })
  if (found.length === 0) throw new Error(`no offset of group ${group} is in ${topic}`)
  return found
}

/** OffsetCommitKey: version, group, topic, partition. */
function placeOf(key: Buffer | null, ofGroup: string): Omit<PartitionOffset, 'offset'> | undefined {
  if (key === null) return undefined
  const from = new AnswerReader(key)
  if (from.i16() > offsetKeyVersionMax) return undefined
  const text = (): string => from.view(from.i16()).toString()
  const [group, name] = [text(), text()]
  return group === ofGroup ? { topic: name, partition: from.i32() } : undefined
}

/** OffsetCommitValue begins with version and offset. */
function offsetOf(value: Buffer): number {
  const from = new AnswerReader(value)
  from.i16()
  return from.i64()
}
