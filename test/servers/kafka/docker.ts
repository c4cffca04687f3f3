/** One broker in a container. */
import { setTimeout as sleep } from 'node:timers/promises'
import { startGuarded } from '../guarded-process.ts'
import { brokersAlive } from './alive.ts'
import { lastingPort } from './ports.ts'
import { proxiedListeners } from './proxied-listeners.ts'
import type { SharedKafka } from './start.ts'

const image = 'apache/kafka:4.2.1'
const nodeId = 1
/** The image is fetched in this time, too. */
const startMs = 300_000

/** @param proxies how many can be put before the broker at the same time */
export async function startDockerKafka(proxies: number): Promise<SharedKafka & { stop(): Promise<void> }> {
  const port = await lastingPort()
  const proxied = await proxiedListeners(nodeId, proxies)
  // The image forgets its own defaults once any of these is set.
  const settings = {
    KAFKA_NODE_ID: nodeId,
    KAFKA_PROCESS_ROLES: 'broker,controller',
    KAFKA_CONTROLLER_QUORUM_VOTERS: `${nodeId}@localhost:9093`,
    KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
    KAFKA_LISTENERS: [
      `PLAINTEXT://:${port},CONTROLLER://:9093`,
      ...proxied.map(({ name, brokerPort }) => `${name}://:${brokerPort}`),
    ].join(','),
    KAFKA_ADVERTISED_LISTENERS: [
      `PLAINTEXT://127.0.0.1:${port}`,
      ...proxied.map((listener) => `${listener.name}://127.0.0.1:${listener.port}`),
    ].join(','),
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: ['CONTROLLER', 'PLAINTEXT', ...proxied.map(({ name }) => name)]
      .map((name) => `${name}:PLAINTEXT`)
      .join(','),
    KAFKA_AUTO_CREATE_TOPICS_ENABLE: false,
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: 1,
    KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: 1,
    KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: 1,
    KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR: 1,
    KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR: 1,
    KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: 0,
  }
  const environment = Object.entries(settings).flatMap(([name, value]) => ['--env', `${name}=${value}`])
  const published = [port, ...proxied.map(({ brokerPort }) => brokerPort)].flatMap((open) => [
    '--publish',
    `127.0.0.1:${open}:${open}`,
  ])
  const server = startGuarded({
    command: ['docker', 'run', '--rm', ...published, ...environment, image],
    stopSignal: 'TERM',
  })
  const until = Date.now() + startMs
  while ((await brokersAlive(port)).length === 0) {
    if (server.ended() || Date.now() > until) {
      await server.stop()
      throw new Error(`Kafka did not start in a container:\n${server.output()}`)
    }
    await sleep(200)
  }
  return {
    brokers: `127.0.0.1:${port}`,
    proxied: proxied.map((listener) => [listener]),
    stop: () => server.stop(),
  }
}
