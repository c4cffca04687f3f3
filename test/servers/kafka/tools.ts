/** Kafka's own tools as functions: what Java sees of our topics, groups and transactions. Each takes about a second. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runTool } from './java-tool.ts'

interface ConsumedRecord {
  readonly partition: number
  readonly offset: number
  /** ms since the Unix epoch. */
  readonly timestamp: number
  readonly timestampType: 'CreateTime' | 'LogAppendTime'
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly key: string | null
  readonly value: string | null
}

interface ConsumeOptions {
  readonly topic: string
  /** Stops after this many. */
  readonly maxMessages?: number
  /** Stops when none came for this long, in ms; 30,000 by default. */
  readonly timeoutMs?: number
  /** `read_committed` by default. */
  readonly isolation?: 'read_committed' | 'read_uncommitted'
}

type Compression = 'gzip' | 'snappy' | 'lz4' | 'zstd'

export interface KafkaTools {
  /** The console consumer from the beginning. Keys, values and headers are read as text without tabs and line ends. */
  consume(options: ConsumeOptions): Promise<ConsumedRecord[]>
  /** The console producer with the default settings of Java's producer: idempotent, its partitioner, no compression. */
  produce(
    topic: string,
    records: readonly { readonly key: string; readonly value: string }[],
    compression?: Compression,
  ): Promise<void>
  /** What `kafka-topics.sh --describe` prints. */
  describeTopic(topic: string): Promise<string>
  /** What `kafka-consumer-groups.sh --describe` prints: its offsets, or with `--members` its members. */
  describeGroup(group: string, ...parameters: readonly string[]): Promise<string>
  /** What `kafka-transactions.sh` prints for these parameters: `list`, `describe --transactional-id ID`, `find-hanging`. */
  transactions(...parameters: readonly string[]): Promise<string>
  /** Offsets by partition: `latest` is the next one to be written, `earliest` the log's start. */
  offsets(topic: string, time?: 'latest' | 'earliest'): Promise<ReadonlyMap<number, number>>
  /** Makes another in-sync replica the leader and waits for it; the answer is its broker's id. */
  moveLeader(topic: string, partition: number): Promise<number>
}

/** Stands for a null key or value in the console consumer's output. */
const nothing = '\u0001null'

const inTools = (name: string): string => `org.apache.kafka.tools.${name}`

export function kafkaTools(brokers: string): KafkaTools {
  const on = ['--bootstrap-server', brokers]
  const run = (tool: string, parameters: readonly string[], input?: string): Promise<string> =>
    runTool({
      tool: inTools(tool),
      parameters: [...on, ...parameters],
      ...(input === undefined ? {} : { input }),
    })
  const describeTopic = (topic: string): Promise<string> =>
    run('TopicCommand', ['--describe', '--topic', topic])
  return {
    async consume({ topic, maxMessages, timeoutMs = 30_000, isolation = 'read_committed' }) {
      const printed = ['timestamp', 'partition', 'offset', 'headers', 'key', 'value']
      const formats = [...printed.map((name) => `print.${name}=true`), `null.literal=${nothing}`]
      const output = await run('consumer.ConsoleConsumer', [
        `--topic=${topic}`,
        '--from-beginning',
        `--isolation-level=${isolation}`,
        `--timeout-ms=${timeoutMs}`,
        ...(maxMessages === undefined ? [] : [`--max-messages=${maxMessages}`]),
        ...formats.flatMap((property) => ['--formatter-property', property]),
      ])
      return output
        .split('\n')
        .filter((line) => line !== '')
        .map(parseRecord)
    },
    async produce(topic, records, compression) {
      const lines = records.map(({ key, value }) => `${key}\t${value}\n`).join('')
      const codec = compression === undefined ? [] : [`--compression-codec=${compression}`]
      await run('ConsoleProducer', ['--topic', topic, '--reader-property', 'parse.key=true', ...codec], lines)
    },
    describeTopic,
    async describeGroup(group, ...parameters) {
      const asked = ['--describe', '--group', group, ...parameters]
      const printed = await run('consumer.group.ConsumerGroupCommand', asked)
      // It ends with 0 all the same.
      if (/^Error:/m.test(printed)) throw new Error(printed)
      return printed
    },
    transactions: (...parameters) => run('TransactionsCommand', parameters),
    async offsets(topic, time = 'latest') {
      const output = await run('GetOffsetShell', ['--topic', topic, '--time', time])
      const lines = [...output.matchAll(/^.*:(?<partition>\d+):(?<offset>\d+)$/gm)]
      return new Map(lines.map(({ groups }) => [Number(groups?.['partition']), Number(groups?.['offset'])]))
    },
    async moveLeader(topic, partition) {
      const { leader, replicas, inSync } = partitionOf(await describeTopic(topic), partition)
      const next = inSync.find((id) => id !== leader)
      if (next === undefined) throw new Error(`No other replica of ${topic}-${partition} is in sync.`)
      const order = [next, ...replicas.filter((id) => id !== next)]
      const folder = mkdtempSync(join(tmpdir(), 'millrace-reassign-'))
      try {
        const plan = join(folder, 'plan.json')
        const partitions = [{ topic, partition, replicas: order }]
        writeFileSync(plan, JSON.stringify({ version: 1, partitions }))
        await run('reassign.ReassignPartitionsCommand', ['--reassignment-json-file', plan, '--execute'])
        await run('LeaderElectionCommand', [
          '--election-type=preferred',
          `--topic=${topic}`,
          `--partition=${partition}`,
        ])
      } finally {
        rmSync(folder, { recursive: true })
      }
      return next
    },
  }
}

function parseRecord(line: string): ConsumedRecord {
  const [time = '', partition = '', offset = '', headers = '', key = '', value = ''] = line.split('\t')
  const [timestampType, timestamp] = time.split(':')
  const orNull = (text: string): string | null => (text === nothing ? null : text)
  return {
    partition: Number(partition.replace('Partition:', '')),
    offset: Number(offset.replace('Offset:', '')),
    timestamp: Number(timestamp),
    timestampType: timestampType as ConsumedRecord['timestampType'],
    headers: headers === 'NO_HEADERS' ? [] : headers.split(',').map(parseHeader),
    key: orNull(key),
    value: orNull(value),
  }
}

function parseHeader(text: string): readonly [string, string] {
  const colon = text.indexOf(':')
  return [text.slice(0, colon), text.slice(colon + 1)]
}

interface PartitionPlace {
  readonly leader: number
  readonly replicas: readonly number[]
  readonly inSync: readonly number[]
}

/** Out of lines like `Topic: t Partition: 0 Leader: 1 Replicas: 1,2,3 Isr: 1,2,3`, tabs between. */
function partitionOf(description: string, partition: number): PartitionPlace {
  const line = description.split('\n').find((text) => text.includes(`\tPartition: ${partition}\t`))
  const field = (name: string): string => line?.match(new RegExp(`\t${name}: ([^\t]*)`))?.[1] ?? ''
  const ids = (name: string): number[] => field(name).split(',').map(Number)
  if (line === undefined) throw new Error(`No partition ${partition} in:\n${description}`)
  return { leader: Number(field('Leader')), replicas: ids('Replicas'), inSync: ids('Isr') }
}
