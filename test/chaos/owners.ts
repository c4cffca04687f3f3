/**
 * Who committed what, as the log has it: the producer id of each committed transaction leads to a transactional id, and
 * that names the stream thread.
 */
import { readI64 } from '#core'
import { batchField } from '#log'
import type { Cluster } from '../../log/kafka/cluster.ts'
import { committedBatches } from '../../log/kafka/committed-batches.ts'
import type { Api } from '../../log/kafka/protocol/wire.ts'
import { openCluster } from '../kafka/open-cluster.ts'
import { wholePartition } from '../kafka/whole-topic.ts'
import type { Takeover } from './processor-log.ts'
import { turnsWithoutTakeover } from './turns.ts'

interface OwnedProducer {
  readonly producerId: number
  readonly transactionalId: string
}

/** Every transactional id that the asked broker coordinates, with its producer id of now. */
const listProducers: Api<null, { readonly code: number; readonly producers: OwnedProducer[] }> = {
  key: 66,
  version: 0,
  name: 'ListTransactions',
  encode(out) {
    out.primitives([], () => undefined)
    out.primitives([], () => undefined)
    out.tags()
  },
  decode(from) {
    from.i32()
    const code = from.i16()
    from.primitives(() => from.string())
    const producers = from.array(() => {
      const transactionalId = from.string()
      const producerId = from.i64()
      from.string()
      return { transactionalId, producerId }
    })
    from.tags()
    return { code, producers }
  },
}

export class Owners {
  readonly #cluster: Cluster
  /** The stream thread, by producer id. A transactional id gets another producer id when its epochs are used up. */
  readonly #threads = new Map<number, string>()

  private constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  static async open(brokers: string): Promise<Owners> {
    return new Owners(await openCluster(brokers))
  }

  /** Learns the producer ids of now. */
  async look(): Promise<void> {
    for (const broker of this.#cluster.brokers) {
      const { producers } = await this.#cluster.to(broker, listProducers, null)
      for (const { producerId, transactionalId } of producers)
        this.#threads.set(producerId, transactionalId.slice(0, transactionalId.lastIndexOf('-')))
    }
  }

  /** What speaks against one owner at a time; every partition of the topic is one task's. */
  async check(topic: string, takeovers: readonly Takeover[]): Promise<string[]> {
    await this.look()
    const { partitions = [] } = (await this.#cluster.topic(topic)) ?? {}
    const violations: string[] = []
    for (const partition of partitions.keys()) {
      violations.push(
        ...turnsWithoutTakeover(`0_${partition}`, await this.#owners(topic, partition), takeovers),
      )
    }
    return violations
  }

  close(): Promise<void> {
    return this.#cluster.close()
  }

  /** Of a partition's transactions, in the order of the log. */
  async #owners(topic: string, partition: number): Promise<string[]> {
    const owners: string[] = []
    for await (const { fetched, from } of wholePartition(this.#cluster, topic, partition)) {
      for (const batch of committedBatches(fetched.records, from, fetched.aborted).batches) {
        const producerId = readI64(batch, batchField.producerId)
        owners.push(this.#threads.get(producerId) ?? `the unknown producer ${producerId}`)
      }
    }
    return owners
  }
}
