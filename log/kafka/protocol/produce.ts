import type { TopicPartition } from '../../index.ts'
import { groupedByTopic } from './by-topic.ts'
import type { Api } from './wire.ts'

interface ProduceRequest {
  readonly transactionalId: string | null
  readonly timeoutMs: number
  /** Stamped batches, at most one a partition. */
  readonly batches: readonly (TopicPartition & { readonly bytes: Buffer })[]
}

/** How long followers may take to get a batch: the leader's answer still comes before the request times out. */
export function replicationTimeoutMs(requestTimeoutMs: number): number {
  return Math.ceil(requestTimeoutMs * 0.8)
}

export interface ProducedPartition extends TopicPartition {
  readonly code: number
  /** Offset of the batch's first record. */
  readonly baseOffset: number
  readonly message: string | null
}

/**
 * acks=all. Version 12 is the last that names topics by name, and the first that adds a partition to the open
 * transaction by itself (KIP-890).
 */
export const produce: Api<ProduceRequest, readonly ProducedPartition[]> = {
  key: 0,
  version: 12,
  name: 'Produce',
  encode(out, { transactionalId, timeoutMs, batches }) {
    out.string(transactionalId)
    out.i16(-1)
    out.i32(timeoutMs)
    out.array(groupedByTopic(batches), ({ topic, partitions }) => {
      out.string(topic)
      out.array(partitions, ({ partition, bytes }) => {
        out.i32(partition)
        out.attach(bytes)
      })
    })
    out.tags()
  },
  decode(from) {
    const produced: ProducedPartition[] = []
    from.array(() => {
      const topic = from.string()
      from.array(() => {
        const partition = from.i32()
        const code = from.i16()
        const baseOffset = from.i64()
        from.i64()
        from.i64()
        from.array(() => {
          from.i32()
          from.nullableString()
        })
        produced.push({ topic, partition, code, baseOffset, message: from.nullableString() })
      })
    })
    from.i32()
    from.tags()
    return produced
  },
}
