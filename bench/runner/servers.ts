/** PostgreSQL, Redis and Kafka for the benchmarks that need them: started at the first use, gone with the run. */
import { startKafka } from '../../test/servers/kafka/cluster.ts'
import type { KafkaCluster } from '../../test/servers/kafka/cluster.ts'
import { databaseOn, redisOn } from '../../test/servers/fresh.ts'
import { startServers } from '../../test/servers/start.ts'
import type { TestServers } from '../../test/servers/start.ts'

/** Deleted topics leave the disk at once: it is the same for all that are measured. */
const kafkaProperties = { 'log.segment.delete.delay.ms': 1000 }

export class Servers {
  #starting: Promise<TestServers> | undefined
  #kafka: Promise<KafkaCluster> | undefined

  /** The URL of an empty database. */
  async postgres(): Promise<string> {
    const { databaseUrl } = await this.#started()
    return (await databaseOn(databaseUrl)).url
  }

  /** The URL of an empty Redis database. */
  async redis(): Promise<string> {
    const { redisUrl } = await this.#started()
    return (await redisOn(redisUrl)).url
  }

  /** `host:port,…` of one broker, or of those that KAFKA_BROKERS names. */
  async kafka(): Promise<string> {
    const { KAFKA_BROKERS: brokers } = process.env
    if (brokers !== undefined && brokers !== '') return brokers
    return (await (this.#kafka ??= startKafka({ properties: kafkaProperties }))).brokers
  }

  async stop(): Promise<void> {
    const servers = await this.#starting?.catch(() => undefined)
    await servers?.stop()
    const kafka = await this.#kafka?.catch(() => undefined)
    await kafka?.stop()
  }

  #started(): Promise<TestServers> {
    return (this.#starting ??= startServers())
  }
}
