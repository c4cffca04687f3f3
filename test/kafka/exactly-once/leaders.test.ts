/** Leaders move on three brokers under load, of the topics and of what coordinates the transactions. */
import { afterAll, afterEach, beforeAll, beforeEach, it } from 'vitest'
import { kafkaTools, startKafka } from '../../servers/kafka/index.ts'
import { faultMs, seed } from './long-form.ts'
import { Sale, tell } from './sale.ts'

type Kafka = Awaited<ReturnType<typeof startKafka>>

let kafka: Kafka
let sale: Sale
beforeAll(async () => {
  kafka = await startKafka({ nodes: 3 })
})
afterAll(() => kafka.stop())
beforeEach(async () => {
  sale = await Sale.open({ brokers: kafka.brokers })
})
afterEach(() => sale.destroy())

it(`leaders move (SEED=${seed})`, { timeout: 400_000 + 4 * faultMs }, async () => {
  const { moveLeader } = kafkaTools(kafka.brokers)
  const { issue, result } = sale.system.topics
  const topics = [issue, '__transaction_state', result, '__consumer_offsets']
  let moves = 0
  // The tools take their time: a little is one broker that hands everything over, and these two.
  await kafka.nodes[1]?.restart()
  for (const until = performance.now() + faultMs; moves < 2 || performance.now() < until; moves++)
    await moveLeader(topics[moves % topics.length] as string, sale.random.integer(0, 4))
  await sale.pause(500)
  tell(`a broker restarted and ${moves} leaders moved`, await sale.settle())
})
