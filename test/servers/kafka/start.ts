/** The Kafka of a test run: the one KAFKA_BROKERS names, else a container, else Java and Apache Kafka's jars. */
import { dockerAnswers } from '../find-binary.ts'
import { startKafka } from './cluster.ts'
import type { ProxiedListener } from './proxied-listeners.ts'
import { startDockerKafka } from './docker.ts'
import { kafkaJava } from './jars.ts'

export interface SharedKafka {
  /** `host:port,…`. */
  readonly brokers: string
  /** Where proxies can listen; none of the Kafka that KAFKA_BROKERS names. */
  readonly proxied: readonly (readonly ProxiedListener[])[]
}

/** Tests run a file a process, so several may want a proxy at once. */
const proxies = 4

const given = (): string | undefined => process.env['KAFKA_BROKERS'] || undefined

/** Fetches what a Kafka takes here, once. Errors: what to install, when there is no way to one. */
export async function prepareKafka(): Promise<void> {
  if (given() === undefined && !dockerAnswers()) await kafkaJava()
}

export async function startSharedKafka(): Promise<SharedKafka & { stop(): Promise<void> }> {
  const brokers = given()
  if (brokers !== undefined) return { brokers, proxied: [], stop: () => Promise.resolve() }
  const container = dockerAnswers() ? await startDockerKafka(proxies).catch(() => undefined) : undefined
  return container ?? startKafka({ proxies })
}
