import type { Api } from './wire.ts'

interface MetadataPartition {
  readonly code: number
  readonly partition: number
  /** Node id; -1 while there is none. */
  readonly leader: number
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
}

interface MetadataTopic {
  readonly code: number
  readonly name: string
  readonly topicId: string
  readonly partitions: readonly MetadataPartition[]
}

export interface MetadataAnswer {
  readonly brokers: readonly { readonly node: number; readonly host: string; readonly port: number }[]
  readonly clusterId: string
  readonly topics: readonly MetadataTopic[]
}

/** Brokers, and the named topics. Never creates a topic. */
export const metadata: Api<{ readonly topics: readonly string[] }, MetadataAnswer> = {
  key: 3,
  version: 12,
  name: 'Metadata',
  encode(out, { topics }) {
    out.array(topics, (name) => {
      out.zeroUuid()
      out.string(name)
    })
    out.bool(false)
    out.bool(false)
    out.tags()
  },
  decode(from) {
    from.i32()
    const brokers = from.array(() => {
      const broker = { node: from.i32(), host: from.string(), port: from.i32() }
      from.nullableString()
      return broker
    })
    const clusterId = from.string()
    from.i32()
    const topics = from.array(() => {
      const code = from.i16()
      const name = from.string()
      const topicId = from.uuid()
      from.bool()
      const partitions = from.array(() => {
        const partition: MetadataPartition = {
          code: from.i16(),
          partition: from.i32(),
          leader: from.i32(),
          leaderEpoch: from.i32(),
          replicas: from.primitives(() => from.i32()),
        }
        from.primitives(() => from.i32())
        from.primitives(() => from.i32())
        return partition
      })
      from.i32()
      return { code, name, topicId, partitions }
    })
    from.tags()
    return { brokers, clusterId, topics }
  },
}
