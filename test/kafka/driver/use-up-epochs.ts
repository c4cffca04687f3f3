/** A transactional id that has run through nearly all epochs of its producer id, as after a day of busy commits. */
import { TransactionCoordinator } from '../../../log/kafka/transaction-coordinator.ts'
import { withCluster } from '../open-cluster.ts'

/** The last epoch is 32,767; some are left. */
const lastEpoch = 32_740

/** Takes the id over and ends transactions with it until few epochs are left. @returns its producer id */
export async function useUpEpochs(brokers: string, transactionalId: string): Promise<number> {
  return withCoordinator(brokers, transactionalId, async (coordinator) => {
    const { id } = coordinator.producer
    // Aborts of nothing take an epoch each, too, and no time.
    while (coordinator.producer.epoch < lastEpoch) {
      const ending = await coordinator.end(false, 10_000)
      if (ending.kind !== 'ended') throw ending.error
    }
    if (coordinator.producer.id !== id) throw new Error('the producer id changed too early')
    return id
  })
}

/** Takes the id over. @returns its producer id */
export function producerIdOf(brokers: string, transactionalId: string): Promise<number> {
  return withCoordinator(brokers, transactionalId, async ({ producer }) => producer.id)
}

function withCoordinator<T>(
  brokers: string,
  transactionalId: string,
  use: (coordinator: TransactionCoordinator) => Promise<T>,
): Promise<T> {
  return withCluster(brokers, async (cluster) => {
    const connections = cluster.connections()
    try {
      const parts = { cluster, connections, transactionalId, timeoutMs: 10_000 }
      const coordinator = new TransactionCoordinator(parts)
      await coordinator.takeOver()
      return await use(coordinator)
    } finally {
      await connections.close()
    }
  })
}
