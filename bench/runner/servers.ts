/** PostgreSQL, Redis and Kafka for the benchmarks that need them: started at the first use, gone with the run. */
import { startKafka } from '../../test/servers/kafka/cluster.ts'
import type { KafkaCluster } from '../../test/servers/kafka/cluster.ts'
import { databaseOn, redisOn } from '../../test/servers/fresh.ts'
import { startServers } from '../../test/servers/start.ts'
import type { TestServers } from '../../test/servers/start.ts'

/** Deleted topics leave the disk at once: it is the same for all that are measured. */
const kafkaProperties = { 'log.segment.delete.delay.ms': 1000 }
/** How long the first generation of a group waits for more members; Kafka's default is 3 s. */
const gatherMs = 2000

export interface KafkaNeeds {
  /** Members of a new group that come within two seconds are in its first generation. Default: the first is alone. */
  readonly gathersMembers?: boolean
}

export class Servers {
  #starting: Promise<TestServers> | undefined
  /** By whether it gathers members. */
  readonly #kafka = new Map<boolean, Promise<KafkaCluster>>()

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
  async kafka({ gathersMembers = false }: KafkaNeeds = {}): Promise<string> {
    const { KAFKA_BROKERS: brokers } = process.env
    if (brokers !== undefined && brokers !== '') return brokers
    const delay = gathersMembers ? { 'group.initial.rebalance.delay.ms': gatherMs } : {}
    const starting =
      this.#kafka.get(gathersMembers) ?? startKafka({ properties: { ...kafkaProperties, ...delay } })
    this.#kafka.set(gathersMembers, starting)
    return (await starting).brokers
  }

  async stop(): Promise<void> {
    const servers = await this.#starting?.catch(() => undefined)
    await servers?.stop()
    for (const starting of this.#kafka.values()) {
      const kafka = await starting.catch(() => undefined)
      await kafka?.stop()
    }
  }

  #started(): Promise<TestServers> {
    return (this.#starting ??= startServers())
  }
}
