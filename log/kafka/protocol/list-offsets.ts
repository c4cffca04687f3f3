import type { PartitionOffset, TopicPartition } from '../../index.ts'
import { groupedByTopic } from './by-topic.ts'
import type { Api } from './wire.ts'

/** Which end is asked for. */
export const offsetEnd = {
  start: { timestamp: -2, isolation: 0 },
  highWatermark: { timestamp: -1, isolation: 0 },
  lastStableOffset: { timestamp: -1, isolation: 1 },
} as const

interface ListOffsetsRequest {
  readonly end: keyof typeof offsetEnd
  readonly partitions: readonly TopicPartition[]
}

export const listOffsets: Api<ListOffsetsRequest, readonly (PartitionOffset & { readonly code: number })[]> =
  {
    key: 2,
    version: 7,
    name: 'ListOffsets',
    encode(out, { end, partitions }) {
      const { timestamp, isolation } = offsetEnd[end]
      out.i32(-1)
      out.i8(isolation)
      out.array(groupedByTopic(partitions), (group) => {
        out.string(group.topic)
        out.array(group.partitions, ({ partition }) => {
          out.i32(partition)
          out.i32(-1)
          out.i64(timestamp)
        })
      })
      out.tags()
    },
    decode(from) {
      from.i32()
      const listed: (PartitionOffset & { readonly code: number })[] = []
      from.array(() => {
        const topic = from.string()
        from.array(() => {
          const partition = from.i32()
          const code = from.i16()
          from.i64()
          listed.push({ topic, partition, code, offset: from.i64() })
          from.i32()
        })
      })
      from.tags()
      return listed
    },
  }
