/** Copies of tasks on real Kafka: they follow, and whoever has one goes on with it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { noMetrics, silentLogger, systemClock } from '#core'
import type { Metrics } from '#core'
import type { Log } from '#log'
import { startStreams } from '#processor'
import type { Streams, StreamsOptions } from '#processor'
import { TopologyBuilder, keyValueStore, output, utf8 } from '#topology'
import type { Topology } from '#topology'
import { kafka } from '../../servers/kafka/index.ts'
import { connect, makeTopic, proxied, readValues } from '../driver/kafka-logs.ts'

const partitions = 2
/** Records of one partition before the second process comes. */
const before = 3000
const acceptableLag = 100

/** Numbers the records of a partition, and keeps each: what is lost or repeated shows. */
function numbering(from: string, to: string): Topology {
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

let directory: string
let log: Log
let appId: string
let input: string
let result: string
const running: Streams[] = []
let appended = 0

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-standby-'))
  const { brokers, prefix } = kafka()
  log = await connect(brokers)
  appId = `${prefix}app`
  input = await makeTopic(log, `${prefix}in`, partitions)
  result = await makeTopic(log, `${prefix}out`, partitions)
  appended = 0
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((streams) => streams.stop()))
  await rm(directory, { recursive: true, force: true })
})

/** Changelog records applied to local state, by role of the task. */
function restoredRecords(): { readonly metrics: Metrics; readonly of: (role: string) => number } {
  const counts = new Map<string, number>()
  const metrics: Metrics = {
    ...noMetrics,
    counter: ({ name }) => ({
      add(value = 1, labels = {}) {
        if (name !== 'streams_restored_records_total') return
        const role = String(labels['role'])
        counts.set(role, (counts.get(role) ?? 0) + value)
      },
    }),
  }
  return { metrics, of: (role) => counts.get(role) ?? 0 }
}

async function start(on: Log, name: string, options: Partial<StreamsOptions>): Promise<Streams> {
  const streams = await startStreams({
    topology: numbering(input, result),
    log: on,
    appId,
    stateDir: join(directory, name),
    clock: systemClock,
    logger: silentLogger,
    ...options,
  })
  running.push(streams)
  return streams
}

async function append(count: number): Promise<void> {
  const appender = log.appender()
  const sent = Array.from({ length: count * partitions }, (_, at) =>
    appender.append({ topic: input, partition: at % partitions, key: 'key', value: '-' }),
  )
  await Promise.all(sent)
  await appender.close()
  appended += count
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = systemClock.now() + 60_000
  while (!(await holds())) {
    if (systemClock.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await systemClock.sleep(10)
  }
}

function tasks(streams: Streams): string {
  const all = streams.state().tasks.map(({ taskId, role, status }) => `${taskId} ${role} ${status}`)
  return all.toSorted().join(', ')
}

const lag = (streams: Streams): number => streams.state().tasks.reduce((sum, task) => sum + task.lag, 0)

/** Each record was numbered once, in order, whoever did it. */
async function expectNumbered(): Promise<void> {
  await until('all is numbered', async () => {
    return (await readValues(log, result, partitions)).length >= appended * partitions
  })
  const read = await readValues(log, result, partitions)
  for (let partition = 0; partition < partitions; partition++) {
    const numbers = read.filter((one) => one.partition === partition).map(({ value }) => Number(value))
    expect(numbers).toEqual(Array.from({ length: appended }, (_, at) => at + 1))
  }
}

it('a standby goes on where its owner was cut off, and reads the tail of the changelog only', async () => {
  const proxy = await proxied(kafka())
  const first = await start(await connect(proxy.brokers), 'first', { standbys: 1 })
  await append(before)
  await expectNumbered()
  const { metrics, of } = restoredRecords()
  const second = await start(log, 'second', { standbys: 1, metrics, warmUp: { acceptableLag } })
  const both = new Set([
    '0_0 active running, 0_1 standby following',
    '0_0 standby following, 0_1 active running',
  ])
  await until('each follows the other', () => {
    return both.has(tasks(first)) && both.has(tasks(second)) && lag(first) + lag(second) === 0
  })
  await append(500)
  await expectNumbered()
  await until('the copies have it', () => lag(second) === 0)
  expect(of('standby') + of('warm-up')).toBeGreaterThan(before)
  const restored = of('active')
  proxy.refuse()
  await until('the second runs both', () => tasks(second) === '0_0 active running, 0_1 active running')
  // Transactions of the end that it had not seen when its owner died.
  expect(of('active') - restored).toBeLessThanOrEqual(acceptableLag)
  await append(100)
  await expectNumbered()
})

it('a task with a large state moves when it is warmed up, and is worked on meanwhile', async () => {
  const options = { warmUp: { acceptableLag, tasksMax: 1 } }
  const first = await start(log, 'first', options)
  await append(before)
  await expectNumbered()
  const { metrics, of } = restoredRecords()
  const second = await start(await connect(kafka().brokers), 'second', { ...options, metrics })
  let alone = 0
  await until('the second runs one', async () => {
    await append(10)
    const runs = (streams: Streams): number =>
      streams.state().tasks.filter(({ role, status }) => role === 'active' && status === 'running').length
    if (runs(second) === 0 && runs(first) === partitions) alone++
    return runs(first) === 1 && runs(second) === 1
  })
  expect(alone).toBeGreaterThan(0)
  expect(of('warm-up')).toBeGreaterThan(before)
  expect(of('active')).toBeLessThanOrEqual(2 * acceptableLag)
  await append(100)
  await expectNumbered()
})
