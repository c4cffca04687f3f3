/** Apache Kafka in KRaft mode on free ports in a temporary folder, gone with this process. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { startGuarded } from '../guarded-process.ts'
import { brokersAlive } from './alive.ts'
import { kafkaJava } from './jars.ts'
import { kafkaNode } from './node.ts'
import type { KafkaNode } from './node.ts'
import { lastingPort } from './ports.ts'
import { proxiedListeners } from './proxied-listeners.ts'
import type { ProxiedListener } from './proxied-listeners.ts'

export interface KafkaClusterOptions {
  /** 3: replication 3 with min.insync.replicas 2, also for the broker's own topics. 1 is the default. */
  readonly nodes?: 1 | 3
  /** Added to `server.properties` of every broker; wins over ours. */
  readonly properties?: Readonly<Record<string, string | number>>
  /** Added to `kafka-storage.sh format`: users with SCRAM, features. */
  readonly format?: readonly string[]
  /** How many proxies can be put before the brokers at the same time; 1 by default. */
  readonly proxies?: number
}

export interface KafkaCluster {
  /** `127.0.0.1:port,…`: for `kafka://` URLs and bootstrap servers. */
  readonly brokers: string
  /** Ordered by id, from 1. */
  readonly nodes: readonly KafkaNode[]
  /** One entry a proxy, one listener a broker in it. */
  readonly proxied: readonly (readonly ProxiedListener[])[]
  /** What the brokers have logged last. */
  log(): string
  stop(): Promise<void>
}

interface NodePorts {
  readonly id: number
  readonly client: number
  readonly controller: number
  readonly proxied: readonly ProxiedListener[]
}

const startMs = 120_000

/** Errors: the install command when Java or Maven is missing; the brokers' log when they do not start. */
export async function startKafka(options: KafkaClusterOptions = {}): Promise<KafkaCluster> {
  const { nodes: count = 1, proxies = 1 } = options
  const program = await kafkaJava()
  const root = mkdtempSync(join(tmpdir(), 'millrace-kafka-'))
  const janitor = startGuarded({
    command: ['sleep', 'infinity'],
    stopSignal: 'KILL',
    // Brokers that end at the same moment may still write.
    cleanup: `rm -rf '${root}' 2>/dev/null || { sleep 1; rm -rf '${root}'; }`,
  })
  const ports: NodePorts[] = []
  for (let id = 1; id <= count; id++) ports.push(await nodePorts(id, proxies))
  const clusterId = `m${randomBytes(16).toString('base64url').slice(1)}`
  const nodes = ports.map((own) =>
    kafkaNode({ ...program, id: own.id, port: own.client, folder: join(root, String(own.id)) }),
  )
  const cluster: KafkaCluster = {
    brokers: nodes.map(({ broker }) => broker).join(','),
    nodes,
    proxied: Array.from({ length: proxies }, (_, proxy) =>
      ports.flatMap(({ proxied }) => proxied[proxy] ?? []),
    ),
    log: () => nodes.map((node) => `--- broker ${node.id}\n${node.log()}`).join('\n'),
    async stop() {
      await Promise.all(nodes.map((node) => node.kill()))
      await janitor.stop()
    },
  }
  try {
    for (const own of ports) writeProperties(root, own, ports, options.properties)
    const parameters = ['--cluster-id', clusterId, ...(options.format ?? [])]
    await Promise.all(ports.map((own) => format(program, join(root, String(own.id)), parameters)))
    await Promise.all(nodes.map((node) => node.start()))
    await untilComplete(ports, cluster)
    return cluster
  } catch (error) {
    await cluster.stop()
    throw error
  }
}

async function nodePorts(id: number, proxies: number): Promise<NodePorts> {
  const proxied = await proxiedListeners(id, proxies)
  return { id, client: await lastingPort(), controller: await lastingPort(), proxied }
}

function writeProperties(
  root: string,
  own: NodePorts,
  all: readonly NodePorts[],
  extra: KafkaClusterOptions['properties'],
): void {
  const folder = join(root, String(own.id))
  mkdirSync(folder)
  const replication = all.length
  const inSync = Math.min(2, replication)
  const names = ['CLIENT', 'CONTROLLER', ...own.proxied.map(({ name }) => name)]
  const at = (name: string, port: number): string => `${name}://127.0.0.1:${port}`
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': own.id,
    'controller.quorum.voters': all.map((node) => `${node.id}@127.0.0.1:${node.controller}`).join(','),
    listeners: [
      at('CLIENT', own.client),
      at('CONTROLLER', own.controller),
      ...own.proxied.map(({ name, brokerPort }) => at(name, brokerPort)),
    ].join(','),
    'advertised.listeners': [
      at('CLIENT', own.client),
      ...own.proxied.map(({ name, port }) => at(name, port)),
    ].join(','),
    'listener.security.protocol.map': names.map((name) => `${name}:PLAINTEXT`).join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'CLIENT',
    'log.dirs': join(folder, 'data'),
    'auto.create.topics.enable': false,
    'default.replication.factor': replication,
    'min.insync.replicas': inSync,
    'offsets.topic.replication.factor': replication,
    'transaction.state.log.replication.factor': replication,
    'transaction.state.log.min.isr': inSync,
    'share.coordinator.state.topic.replication.factor': replication,
    'share.coordinator.state.topic.min.isr': inSync,
    // The defaults of 50 partitions each take seconds to make.
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.num.partitions': 1,
    'group.initial.rebalance.delay.ms': 0,
    // A killed broker is noticed, and its partitions get leaders, within these.
    'broker.heartbeat.interval.ms': 500,
    'broker.session.timeout.ms': 3000,
    ...extra,
  }
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`)
  writeFileSync(join(folder, 'server.properties'), lines.join(''))
}

async function format(
  { java, classpath }: { readonly java: string; readonly classpath: string },
  folder: string,
  added: readonly string[],
): Promise<void> {
  const quick = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx128m']
  const parameters = ['format', '--config', join(folder, 'server.properties'), ...added]
  const tool = [...quick, '-cp', classpath, 'kafka.tools.StorageTool', ...parameters]
  await promisify(execFile)(java, tool)
}

async function untilComplete(ports: readonly NodePorts[], cluster: KafkaCluster): Promise<void> {
  const until = Date.now() + startMs
  for (const { client } of ports) {
    while ((await brokersAlive(client)).length < ports.length) {
      if (Date.now() > until) throw new Error(`Kafka's brokers did not find each other:\n${cluster.log()}`)
      await sleep(50)
    }
  }
}
