/** Real Kafka for tests of the project `kafka`. */
import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'
import { testWorker } from '../test-worker.ts'

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
  const { brokers, proxied } = inject('kafka')
  // Each worker begins elsewhere: a port that a test has closed is not opened again by another one meanwhile.
  const first = proxied.length === 0 ? 0 : (2 * testWorker) % proxied.length
  return {
    brokers,
    proxied: [...proxied.slice(first), ...proxied.slice(0, first)],
    prefix: `t-${randomBytes(4).toString('hex')}-`,
  }
}
