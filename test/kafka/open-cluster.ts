/** Below the log port: what tests ask the brokers themselves. */
import { silentLogger, systemClock } from '#core'
import { Cluster } from '../../log/kafka/cluster.ts'
import { parseKafkaUrl } from '../../log/kafka/kafka-url.ts'

const openMs = 30_000

export async function openCluster(brokers: string): Promise<Cluster> {
  const cluster = new Cluster({
    ...parseKafkaUrl(`kafka://${brokers}`),
    clock: systemClock,
    logger: silentLogger,
  })
  await cluster.open(openMs)
  return cluster
}

/** Opens it for as long as `use` runs. */
export async function withCluster<T>(brokers: string, use: (cluster: Cluster) => Promise<T>): Promise<T> {
  const cluster = await openCluster(brokers)
  try {
    return await use(cluster)
  } finally {
    await cluster.close()
  }
}
