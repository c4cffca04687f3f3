import type { PartitionOffset, TopicPartition } from '../../index.ts'
import { groupedByTopic } from './by-topic.ts'
import type { Api } from './wire.ts'

interface DeleteRecordsRequest {
  readonly before: readonly PartitionOffset[]
  readonly timeoutMs: number
}

export const deleteRecords: Api<
  DeleteRecordsRequest,
  readonly (TopicPartition & { readonly code: number })[]
> = {
  key: 21,
  version: 2,
  name: 'DeleteRecords',
  encode(out, { before, timeoutMs }) {
    out.array(groupedByTopic(before), ({ topic, partitions }) => {
      out.string(topic)
      out.array(partitions, ({ partition, offset }) => {
        out.i32(partition)
        out.i64(offset)
      })
    })
    out.i32(timeoutMs)
    out.tags()
  },
  decode(from) {
    from.i32()
    const deleted: (TopicPartition & { readonly code: number })[] = []
    from.array(() => {
      const topic = from.string()
      from.array(() => {
        const partition = from.i32()
        from.i64()
        deleted.push({ topic, partition, code: from.i16() })
      })
    })
    from.tags()
    return deleted
  },
}
