/** The exactly-once system test of Apache Kafka's own project; `npm run test:eos` is the long form. */
import { it } from 'vitest'
import { eos } from '../eos/eos.ts'
import { kafka, startKafka } from '../servers/kafka/index.ts'
import { brokers, eosMs as ms, isLong, logs, seed } from './exactly-once/long-form.ts'

const options = { ms, seed, logs, isLong }

it(
  `every output is the fold of its input prefix while processes come and go (SEED=${seed})`,
  { timeout: 2 * ms + 400_000 },
  async () => {
    if (brokers === 1) return eos({ kafka: kafka(), ...options })
    const cluster = await startKafka({ nodes: brokers })
    try {
      await eos({ kafka: { ...cluster, prefix: 'eos-' }, ...options })
    } finally {
      await cluster.stop()
    }
  },
)
