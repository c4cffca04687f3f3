/** Partitions as the brokers have them, with what readers pass over. */
import { systemClock } from '#core'
import type { PartitionOffset } from '#log'
import type { Cluster } from '../../log/kafka/cluster.ts'
import { committedBatches } from '../../log/kafka/committed-batches.ts'
import { fetch } from '../../log/kafka/protocol/fetch.ts'
import type { FetchedPartition } from '../../log/kafka/protocol/fetch.ts'

const triesMax = 5
const retryMs = 1000

/** Committed and aborted batches, as one fetch brings them. */
export interface Fetched {
  readonly fetched: FetchedPartition
  /** The offset asked for; batches may begin below it. */
  readonly from: number
}

/** Every partition from its first offset to its end, one after the other. */
export async function* wholeTopic(cluster: Cluster, topic: string): AsyncGenerator<Fetched> {
  const { partitions = [] } = (await cluster.topic(topic)) ?? {}
  for (const partition of partitions.keys()) yield* wholePartition(cluster, topic, partition)
}

export async function* wholePartition(
  cluster: Cluster,
  topic: string,
  partition: number,
): AsyncGenerator<Fetched> {
  for (let from = 0; ;) {
    const fetched = await fetchFrom(cluster, { topic, partition, offset: from })
    yield { fetched, from }
    const { nextOffset } = committedBatches(fetched.records, from, fetched.aborted)
    if (nextOffset === from) return
    from = nextOffset
  }
}

/** Looks for the leader again when it has moved since it was heard of. */
async function fetchFrom(cluster: Cluster, position: PartitionOffset): Promise<FetchedPartition> {
  const { topic } = position
  const bytesMax = 8 << 20
  for (let triesLeft = triesMax; ;) {
    const leader = cluster.leader(position)
    const request = { waitMs: 0, bytesMax, partitionBytesMax: bytesMax, positions: [position] }
    const answer = leader === undefined ? undefined : await cluster.to(leader, fetch, request)
    const [fetched] = answer?.partitions ?? []
    if (fetched?.code === 0) return fetched
    if (--triesLeft === 0) {
      const why = answer === undefined ? 'it has no leader' : (fetched?.code ?? answer.code)
      throw new Error(`${topic}-${position.partition} cannot be fetched: ${why}`)
    }
    await systemClock.sleep(retryMs)
    await cluster.refresh([topic])
  }
}
