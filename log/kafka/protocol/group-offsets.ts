import type { GroupMetadata, PartitionOffset, TopicPartition } from '../../index.ts'
import { groupedByTopic } from './by-topic.ts'
import type { ProducerIdentity } from './init-producer-id.ts'
import type { Api } from './wire.ts'

interface TxnOffsetCommitRequest {
  readonly transactionalId: string
  readonly producer: ProducerIdentity
  readonly group: GroupMetadata
  readonly offsets: readonly (PartitionOffset & { readonly metadata: string })[]
}

/** Version 5 belongs to transactions version 2: it adds the group to the transaction by itself. */
export const txnOffsetCommit: Api<
  TxnOffsetCommitRequest,
  readonly (TopicPartition & { readonly code: number })[]
> = {
  key: 28,
  version: 5,
  name: 'TxnOffsetCommit',
  encode(out, { transactionalId, producer, group, offsets }) {
    out.string(transactionalId)
    out.string(group.group)
    out.i64(producer.id)
    out.i16(producer.epoch)
    out.i32(group.generation)
    out.string(group.memberId)
    out.string(group.instanceId ?? null)
    out.array(groupedByTopic(offsets), ({ topic, partitions }) => {
      out.string(topic)
      out.array(partitions, ({ partition, offset, metadata }) => {
        out.i32(partition)
        out.i64(offset)
        out.i32(-1)
        out.string(metadata)
      })
    })
    out.tags()
  },
  decode(from) {
    from.i32()
    const committed: (TopicPartition & { readonly code: number })[] = []
    from.array(() => {
      const topic = from.string()
      from.array(() => {
        committed.push({ topic, partition: from.i32(), code: from.i16() })
      })
    })
    from.tags()
    return committed
  },
}

interface OffsetFetchRequest {
  readonly group: string
  readonly partitions: readonly TopicPartition[]
  readonly requireStable: boolean
}

interface OffsetFetchAnswer {
  readonly code: number
  /** -1 where the group has committed none. */
  readonly offsets: readonly (PartitionOffset & { readonly metadata: string; readonly code: number })[]
}

export const offsetFetch: Api<OffsetFetchRequest, OffsetFetchAnswer> = {
  key: 9,
  version: 9,
  name: 'OffsetFetch',
  encode(out, { group, partitions, requireStable }) {
    out.array([group], (name) => {
      out.string(name)
      out.string(null)
      out.i32(-1)
      out.array(groupedByTopic(partitions), (run) => {
        out.string(run.topic)
        out.primitives(run.partitions, ({ partition }) => out.i32(partition))
      })
    })
    out.bool(requireStable)
    out.tags()
  },
  decode(from) {
    from.i32()
    const groups = from.array(() => {
      from.string()
      const offsets: (PartitionOffset & { readonly metadata: string; readonly code: number })[] = []
      from.array(() => {
        const topic = from.string()
        from.array(() => {
          const partition = from.i32()
          const offset = from.i64()
          from.i32()
          offsets.push({ topic, partition, offset, metadata: from.string(), code: from.i16() })
        })
      })
      return { code: from.i16(), offsets }
    })
    from.tags()
    return groups[0] ?? { code: 0, offsets: [] }
  },
}

export const deleteGroups: Api<{ readonly group: string }, { readonly code: number }> = {
  key: 42,
  version: 2,
  name: 'DeleteGroups',
  encode(out, { group }) {
    out.primitives([group], (name) => out.string(name))
    out.tags()
  },
  decode(from) {
    from.i32()
    const results = from.array(() => {
      from.string()
      return { code: from.i16() }
    })
    from.tags()
    return results[0] ?? { code: 0 }
  },
}
