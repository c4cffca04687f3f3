/** Whose transactions are open (KIP-664): producers of a partition from its leader, their ids from their coordinators. */
import type { TopicPartition } from '../../index.ts'
import { groupedByTopic } from './by-topic.ts'
import type { Api } from './wire.ts'

interface DescribedProducers extends TopicPartition {
  readonly code: number
  /** Producer ids with an open transaction on the partition. */
  readonly open: readonly number[]
}

export const describeProducers: Api<
  { readonly partitions: readonly TopicPartition[] },
  readonly DescribedProducers[]
> = {
  key: 61,
  version: 0,
  name: 'DescribeProducers',
  encode(out, { partitions }) {
    out.array(groupedByTopic(partitions), (run) => {
      out.string(run.topic)
      out.primitives(run.partitions, ({ partition }) => out.i32(partition))
    })
    out.tags()
  },
  decode(from) {
    from.i32()
    const described: DescribedProducers[] = []
    from.array(() => {
      const topic = from.string()
      from.array(() => {
        const partition = from.i32()
        const code = from.i16()
        from.nullableString()
        const producers = from.array(() => {
          const id = from.i64()
          from.i32()
          from.i32()
          from.i64()
          from.i32()
          return { id, openSince: from.i64() }
        })
        const open = producers.filter(({ openSince }) => openSince >= 0).map(({ id }) => id)
        described.push({ topic, partition, code, open })
      })
    })
    from.tags()
    return described
  },
}

/** Transactions of these producers that the asked broker coordinates. */
export const listTransactions: Api<
  { readonly producerIds: readonly number[] },
  { readonly code: number; readonly transactionalIds: readonly string[] }
> = {
  key: 66,
  version: 0,
  name: 'ListTransactions',
  encode(out, { producerIds }) {
    out.primitives([], () => undefined)
    out.primitives(producerIds, (id) => out.i64(id))
    out.tags()
  },
  decode(from) {
    from.i32()
    const code = from.i16()
    from.primitives(() => from.string())
    const transactionalIds = from.array(() => {
      const id = from.string()
      from.i64()
      from.string()
      return id
    })
    from.tags()
    return { code, transactionalIds }
  },
}
