/** A running topology on an embedded log in a temporary directory, for tests of the runtime. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger, systemClock } from '#core'
import type { RecordHeaders } from '#core'
import { everyPartition } from '#log'
import type { Log, TopicSpec } from '#log'
import { EmbeddedBroker, openEmbeddedLog } from '#log/embedded'
import type { Topology } from '#topology'
import { startStreams } from '../streams.ts'
import type { Streams, StreamsOptions } from '../streams.ts'

export interface ReadRecord {
  readonly partition: number
  readonly offset: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: RecordHeaders
}

export class EngineHarness {
  readonly root: string
  readonly broker: EmbeddedBroker
  readonly log: Log
  readonly #streams = new Set<Streams>()

  private constructor(root: string, broker: EmbeddedBroker, log: Log) {
    this.root = root
    this.broker = broker
    this.log = log
  }

  static async open(topics: readonly TopicSpec[]): Promise<EngineHarness> {
    const root = await mkdtemp(join(tmpdir(), 'millrace-engine-'))
    const broker = await EmbeddedBroker.open({ dir: join(root, 'log'), clock: systemClock })
    const log = await openEmbeddedLog(broker, { clock: systemClock })
    await log.admin.ensureTopics(topics)
    return new EngineHarness(root, broker, log)
  }

  get stateDir(): string {
    return join(this.root, 'state')
  }

  async start(topology: Topology, options: Partial<StreamsOptions> = {}): Promise<Streams> {
    const streams = await startStreams({
      topology,
      log: this.log,
      appId: 'app',
      stateDir: this.stateDir,
      clock: systemClock,
      logger: silentLogger,
      ...options,
    })
    this.#streams.add(streams)
    return streams
  }

  /** Appends key and value pairs to partition 0 of a topic. */
  async append(
    topic: string,
    records: readonly (readonly [key: string, value: string | null])[],
  ): Promise<void> {
    const appender = this.log.appender()
    await Promise.all(records.map(([key, value]) => appender.append({ topic, partition: 0, key, value })))
    await appender.close()
  }

  /** Everything readable in a topic now. */
  async read(topic: string): Promise<ReadRecord[]> {
    const description = (await this.log.admin.describeTopics([topic])).get(topic)
    const partitions = everyPartition(topic, description?.partitions ?? 0)
    const reader = this.log.reader()
    const records: ReadRecord[] = []
    for (const edge of await this.log.admin.offsets(partitions)) {
      reader.seek(edge, edge.start)
      while ((reader.position(edge) ?? 0) < edge.highWatermark) {
        for (const fetched of await reader.poll(1000)) {
          for (const cursor = fetched.cursor(); cursor.next();) {
            records.push({
              partition: fetched.partition,
              offset: cursor.offset,
              key: cursor.key()?.toString() ?? null,
              value: cursor.value()?.toString() ?? null,
              headers: cursor.headers().map(({ key, value }) => ({ key, value: value?.toString() ?? null })),
            })
          }
        }
      }
      reader.remove(edge)
    }
    await reader.close()
    return records
  }

  /** Waits until a topic holds so many records, and answers them. */
  async readAtLeast(topic: string, count: number): Promise<ReadRecord[]> {
    for (;;) {
      const records = await this.read(topic)
      if (records.length >= count) return records
      await systemClock.sleep(5)
    }
  }

  async close(): Promise<void> {
    for (const streams of this.#streams) await streams.stop()
    await this.log.close()
    await this.broker.close()
    await rm(this.root, { recursive: true, force: true })
  }
}
