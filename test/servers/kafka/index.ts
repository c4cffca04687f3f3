/** Real Kafka for tests of the project `kafka`. */
import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'

export { startKafka } from './cluster.ts'

export interface TestKafka {
  /** `host:port,…`: bootstrap servers, and what follows `kafka://` in a LOG_URL. */
  readonly brokers: string
  /** Begins the names of one test's topics, groups and transactional ids: `t-1a2b3c4d-`. */
  readonly prefix: string
}

/** The run's Kafka, and a prefix of one's own on it. Tests that stop brokers start their own by `startKafka`. */
export function kafka(): TestKafka {
  return { brokers: inject('kafka').brokers, prefix: `t-${randomBytes(4).toString('hex')}-` }
}
