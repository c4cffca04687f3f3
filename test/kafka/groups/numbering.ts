/** Processes of one application on Kafka that number the records of each partition: what is lost or repeated shows. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { silentLogger, systemClock } from '#core'
import type { Log } from '#log'
import { startStreams } from '#processor'
import type { Streams, StreamsOptions } from '#processor'
import { TopologyBuilder, keyValueStore, output, utf8 } from '#topology'
import type { Topology } from '#topology'
import { kafka } from '../../servers/kafka/index.ts'
import { eventually } from '../../system/eventually.ts'
import { connect, makeTopic, readValues } from '../driver/kafka-logs.ts'

/** Tells the number of each record, and keeps the record under it. */
function numberingTopology(from: string, to: string): Topology {
  const builder = new TopologyBuilder()
  const kept = keyValueStore({ name: 'kept', key: utf8, value: utf8 })
  const { told } = builder.processor({
    name: 'number',
    from: builder.source({ name: 'source', topics: [from], key: utf8, value: utf8 }),
    stores: { kept },
    outputs: { told: output<string, string>() },
    init: ({ stores, emit }) => ({
      process({ key, value }) {
        const number = Number(stores.kept.get('last') ?? 0) + 1
        stores.kept.put('last', String(number))
        stores.kept.put(`record-${number}`, value)
        emit.told(key, String(number))
      },
    }),
  })
  builder.sink({ name: 'sink', from: told, topic: to, key: utf8, value: utf8, samePartition: true })
  return builder.build()
}

export class Numbering {
  readonly log: Log
  readonly input: string
  readonly #partitions: number
  readonly #result: string
  readonly #appId: string
  readonly #directory: string
  readonly #running: Streams[] = []

  private constructor(log: Log, prefix: string, partitions: number, directory: string) {
    this.log = log
    this.input = `${prefix}in`
    this.#result = `${prefix}out`
    this.#appId = `${prefix}app`
    this.#partitions = partitions
    this.#directory = directory
  }

  static async open(partitions: number): Promise<Numbering> {
    const { brokers, prefix } = kafka()
    const log = await connect(brokers)
    const directory = await mkdtemp(join(tmpdir(), 'millrace-groups-'))
    const numbering = new Numbering(log, prefix, partitions, directory)
    await makeTopic(log, numbering.input, partitions)
    await makeTopic(log, numbering.#result, partitions)
    return numbering
  }

  stateDir(process: string): string {
    return join(this.#directory, process)
  }

  /** Starts a process; it has the state directory that its name says. */
  async start(on: Log, process: string, options: Partial<StreamsOptions> = {}): Promise<Streams> {
    const streams = await startStreams({
      topology: numberingTopology(this.input, this.#result),
      log: on,
      appId: this.#appId,
      stateDir: this.stateDir(process),
      clock: systemClock,
      logger: silentLogger,
      ...options,
    })
    this.#running.push(streams)
    return streams
  }

  /** Waits for `count` records of each partition: each was numbered once, in order, whoever did it. */
  async expectNumbered(count: number): Promise<void> {
    const byPartition = async (): Promise<number[][]> => {
      const read = await readValues(this.log, this.#result, this.#partitions)
      return Array.from({ length: this.#partitions }, (_, at) =>
        read.filter(({ partition }) => partition === at).map(({ value }) => Number(value)),
      )
    }
    await eventually('all is numbered', async () =>
      (await byPartition()).every((numbers) => numbers.length >= count),
    )
    const expected = Array.from({ length: count }, (_, at) => at + 1)
    for (const numbers of await byPartition()) expect(numbers).toEqual(expected)
  }

  async close(): Promise<void> {
    await Promise.all(this.#running.splice(0).map((streams) => streams.stop()))
    await rm(this.#directory, { recursive: true, force: true })
  }
}
