/** Real Kafka for tests of the project `kafka`. */
import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'

import type { SharedKafka } from './start.ts'

export { startKafka } from './cluster.ts'
export { startKafkaProxy } from './proxy.ts'
export { kafkaTools } from './tools.ts'
export { apiKeys } from './proxy-rules.ts'

/** `brokers` is also what follows `kafka://` in a LOG_URL. */
export interface TestKafka extends SharedKafka {
  /** Begins the names of one test's topics, groups and transactional ids: `t-1a2b3c4d-`. */
  readonly prefix: string
}

/** The run's Kafka, and a prefix of one's own on it. Tests that stop brokers start their own by `startKafka`. */
export function kafka(): TestKafka {
  return { ...inject('kafka'), prefix: `t-${randomBytes(4).toString('hex')}-` }
}
