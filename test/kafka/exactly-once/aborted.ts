/** What transactions that were given up have left in the log: readers pass over it, the broker still has it. */
import { readI64 } from '#core'
import { baseOffsetOf, batchAttribute, batchField, batchOverheadBytes } from '#log'
import { committedBatches } from '../../../log/kafka/committed-batches.ts'
import { withCluster } from '../open-cluster.ts'
import { wholeTopic } from '../whole-topic.ts'
import type { Fetched } from '../whole-topic.ts'

export interface Aborted {
  readonly transactions: number
  readonly records: number
}

/** Of topics on which nothing is undecided. */
export function abortedIn(brokers: string, topics: readonly string[]): Promise<Aborted> {
  return withCluster(brokers, async (cluster) => {
    const transactions = new Set<string>()
    let records = 0
    for (const topic of topics) {
      for await (const piece of wholeTopic(cluster, topic)) {
        for (const batch of abortedBatches(piece)) {
          // Each transaction has an epoch of its own.
          transactions.add(
            `${readI64(batch, batchField.producerId)} ${batch.readInt16BE(batchField.producerEpoch)}`,
          )
          records += batch.readInt32BE(batchField.count)
        }
      }
    }
    return { transactions: transactions.size, records }
  })
}

function* abortedBatches({ fetched, from }: Fetched): Generator<Buffer> {
  const { records, aborted } = fetched
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
