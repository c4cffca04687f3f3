/** What transactions that were given up have left in the log: readers pass over it, the broker still has it. */
import { readI64, silentLogger, systemClock } from '#core'
import { baseOffsetOf, batchAttribute, batchField, batchOverheadBytes } from '#log'
import type { PartitionOffset } from '#log'
import { Cluster } from '../../../log/kafka/cluster.ts'
import { committedBatches } from '../../../log/kafka/committed-batches.ts'
import { parseKafkaUrl } from '../../../log/kafka/kafka-url.ts'
import { fetch } from '../../../log/kafka/protocol/fetch.ts'
import type { FetchedPartition } from '../../../log/kafka/protocol/fetch.ts'

export interface Aborted {
  readonly transactions: number
  readonly records: number
}

/** Of topics on which nothing is undecided. */
export async function abortedIn(brokers: string, topics: readonly string[]): Promise<Aborted> {
  const cluster = new Cluster({
    ...parseKafkaUrl(`kafka://${brokers}`),
    clock: systemClock,
    logger: silentLogger,
  })
  await cluster.open(30_000)
  const transactions = new Set<string>()
  let records = 0
  try {
    for (const topic of topics) {
      const { partitions = [] } = (await cluster.topic(topic)) ?? {}
      for (const partition of partitions.keys()) {
        for await (const fetched of everything(cluster, topic, partition)) {
          for (const batch of abortedBatches(fetched.partition, fetched.from)) {
            // Each transaction has an epoch of its own.
            transactions.add(
              `${readI64(batch, batchField.producerId)} ${batch.readInt16BE(batchField.producerEpoch)}`,
            )
            records += batch.readInt32BE(batchField.count)
          }
        }
      }
    }
    return { transactions: transactions.size, records }
  } finally {
    await cluster.close()
  }
}

const triesMax = 5
const retryMs = 1000

/** A partition from its first offset to its end, with what was aborted. */
export async function* everything(
  cluster: Cluster,
  topic: string,
  partition: number,
): AsyncGenerator<{ readonly partition: FetchedPartition; readonly from: number }> {
  for (let from = 0; ;) {
    const fetched = await fetchFrom(cluster, { topic, partition, offset: from })
    yield { partition: fetched, from }
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

function* abortedBatches({ records, aborted }: FetchedPartition, from: number): Generator<Buffer> {
  const { batches, nextOffset } = committedBatches(records, from, aborted)
  const committed = new Set(batches.map((batch) => baseOffsetOf(batch)))
  for (let at = 0; at + batchOverheadBytes <= records.length;) {
    const size = records.readInt32BE(at + batchField.batchLength) + batchField.leaderEpoch
    const batch = records.subarray(at, at + size)
    at += size
    const base = baseOffsetOf(batch)
    if (base < from || base >= nextOffset || committed.has(base)) continue
    if ((batch.readInt16BE(batchField.attributes) & batchAttribute.control) === 0) yield batch
  }
}
