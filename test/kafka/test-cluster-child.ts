/** A process that starts Kafka and waits to be killed. */
import { startKafka } from '../servers/kafka/cluster.ts'

const { brokers, nodes } = await startKafka()
// A stopped process hears nothing of our end by itself.
await nodes[0]?.pause()
process.send?.(brokers)
setInterval(() => {}, 1000)
