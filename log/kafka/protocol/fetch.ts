import type { PartitionOffset, TopicPartition } from '../../index.ts'
import { byTopic } from './by-topic.ts'
import type { Api } from './wire.ts'

interface FetchRequest {
  readonly waitMs: number
  /** Bytes of the answer, and of one partition in it. At least one batch comes, whatever its size. */
  readonly bytesMax: number
  readonly partitionBytesMax: number
  /** The broker fills the answer in this order. */
  readonly positions: readonly PartitionOffset[]
}

/** A transaction that was aborted: batches of this producer from this offset on do not count, until its marker. */
export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

export interface FetchedPartition extends TopicPartition {
  readonly code: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly aborted: readonly AbortedTransaction[]
  /** Batches as stored, the last one maybe cut off; a view of the answer. */
  readonly records: Buffer
}

const readCommitted = 1

/** Without a session. Version 12 is the last that names topics by name. */
export const fetch: Api<
  FetchRequest,
  { readonly code: number; readonly partitions: readonly FetchedPartition[] }
> = {
  key: 1,
  version: 12,
  name: 'Fetch',
  encode(out, { waitMs, bytesMax, partitionBytesMax, positions }) {
    out.i32(-1)
    out.i32(waitMs)
    out.i32(1)
    out.i32(bytesMax)
    out.i8(readCommitted)
    out.i32(0)
    out.i32(-1)
    out.array(byTopic(positions), ({ topic, partitions }) => {
      out.string(topic)
      out.array(partitions, ({ partition, offset }) => {
        out.i32(partition)
        out.i32(-1)
        out.i64(offset)
        out.i32(-1)
        out.i64(-1)
        out.i32(partitionBytesMax)
      })
    })
    out.primitives([], () => undefined)
    out.string('')
    out.tags()
  },
  decode(from) {
    from.i32()
    const code = from.i16()
    from.i32()
    const partitions: FetchedPartition[] = []
    from.array(() => {
      const topic = from.string()
      from.array(() => {
        const partition = from.i32()
        const partitionCode = from.i16()
        const highWatermark = from.i64()
        const lastStableOffset = from.i64()
        from.i64()
        const aborted = from.array(() => ({ producerId: from.i64(), firstOffset: from.i64() }))
        from.i32()
        const records = from.bytes()
        partitions.push({
          topic,
          partition,
          code: partitionCode,
          highWatermark,
          lastStableOffset,
          aborted,
          records,
        })
      })
    })
    from.tags()
    return { code, partitions }
  },
}
