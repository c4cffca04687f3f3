/** The exactly-once system test of Apache Kafka's own project; `npm run test:eos` is the long form. */
import { it } from 'vitest'
import { eos } from '../eos/eos.ts'
import { kafka } from '../servers/kafka/index.ts'
import { eosMs as ms, logs, seed } from './exactly-once/long-form.ts'

it(
  `every output is the fold of its input prefix while processes come and go (SEED=${seed})`,
  { timeout: 2 * ms + 200_000 },
  () => eos({ kafka: kafka(), ms, seed, logs }),
)
