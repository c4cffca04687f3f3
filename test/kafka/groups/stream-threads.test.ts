/** Stream threads of several processes in one group on real Kafka: sharing, dying, waking up too late. */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { silentLogger, systemClock } from '#core'
import type { Logger } from '#core'
import type { Log } from '#log'
import { startStreams } from '#processor'
import type { Streams } from '#processor'
import { TopologyBuilder, keyValueStore, output, utf8 } from '#topology'
import type { Topology } from '#topology'
import { apiKeys, kafka } from '../../servers/kafka/index.ts'
import { connect, makeTopic, proxied, readValues } from '../driver/kafka-logs.ts'

const partitions = 4

/** Tells the count of each key: what is lost or repeated shows. */
function counting(from: string, to: string): Topology {
  const builder = new TopologyBuilder()
  const counts = keyValueStore({ name: 'counts', key: utf8, value: utf8 })
  const { told } = builder.processor({
    name: 'count',
    from: builder.source({ name: 'source', topics: [from], key: utf8, value: utf8 }),
    stores: { counts },
    outputs: { told: output<string, string>() },
    init: ({ stores, emit }) => ({
      process({ key }) {
        const count = Number(stores.counts.get(key) ?? 0) + 1
        stores.counts.put(key, String(count))
        emit.told(key, String(count))
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
const loads: { stop(): Promise<number> }[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-groups-'))
  const { brokers, prefix } = kafka()
  log = await connect(brokers)
  appId = `${prefix}app`
  input = await makeTopic(log, `${prefix}in`, partitions)
  result = await makeTopic(log, `${prefix}out`, partitions)
})
afterEach(async () => {
  await Promise.all(loads.splice(0).map((one) => one.stop()))
  await Promise.all(running.splice(0).map((streams) => streams.stop()))
  await rm(directory, { recursive: true, force: true })
})

/** What a stream thread has logged. */
function recorder(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = []
  const note = (_fields: object, message: string): void => void lines.push(message)
  const logger: Logger = { ...silentLogger, info: note, warn: note, error: note, child: () => logger }
  return { logger, lines }
}

async function start(on: Log, name: string, logger: Logger = silentLogger): Promise<Streams> {
  const streams = await startStreams({
    topology: counting(input, result),
    log: on,
    appId,
    stateDir: join(directory, name),
    clock: systemClock,
    logger,
  })
  running.push(streams)
  return streams
}

/** One record after the other into each partition, until told to stop; how many each of them got. */
function load(): { stop(): Promise<number> } {
  const appender = log.appender()
  let stopped = false
  const run = async (): Promise<number> => {
    for (let count = 0; ; count++) {
      if (stopped) return count
      await Promise.all(
        Array.from({ length: partitions }, (_, partition) =>
          appender.append({ topic: input, partition, key: `key-${partition}`, value: '-' }),
        ),
      )
      await systemClock.sleep(2)
    }
  }
  const counted = run()
  const started = {
    async stop() {
      stopped = true
      const count = await counted
      await appender.close()
      return count
    },
  }
  loads.push(started)
  return started
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = systemClock.now() + 60_000
  while (!(await holds())) {
    if (systemClock.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await systemClock.sleep(10)
  }
}

function runs(streams: Streams): number {
  return streams.state().tasks.filter(({ status }) => status === 'running').length
}

/** Each record was counted once, in order, whoever did it. */
async function expectCounted(count: number): Promise<void> {
  await until('all is counted', async () => {
    const places = Array.from({ length: partitions }, (_, partition) => ({ topic: result, partition }))
    const read = await readValues(log, result, partitions)
    return places.every(
      (place) => read.filter(({ partition }) => partition === place.partition).length >= count,
    )
  })
  const read = await readValues(log, result, partitions)
  for (let partition = 0; partition < partitions; partition++) {
    const counts = read.filter((one) => one.partition === partition).map(({ value }) => Number(value))
    expect(counts).toEqual(Array.from({ length: count }, (_, at) => at + 1))
  }
}

it('a second process takes its half under load, and the first has all again when it stops', async () => {
  const asked = load()
  const first = await start(log, 'first')
  await until('the first runs all', () => runs(first) === partitions)
  const second = await start(await connect(kafka().brokers), 'second')
  await until('both run half', () => runs(first) === 2 && runs(second) === 2)
  await systemClock.sleep(300)
  await second.stop()
  await until('the first runs all again', () => runs(first) === partitions)
  await expectCounted(await asked.stop())
})

it('what a process that is cut off in the middle of a transaction had is gone on with, and it comes back', async () => {
  const proxy = await proxied(kafka())
  const asked = load()
  const first = await start(await connect(proxy.brokers), 'first')
  await until('the first runs all', () => runs(first) === partitions)
  const { logger, lines } = recorder()
  const second = await start(await connect(kafka().brokers), 'second', logger)
  await until('both run half', () => runs(first) === 2 && runs(second) === 2)
  const open = proxy.rule({ direction: 'request', apiKey: apiKeys.endTxn }, 'drop')
  await open.hit
  proxy.refuse()
  open.release()
  await until('the second runs all', () => runs(second) === partitions)
  expect(lines).toContain('taking over the transactional ids of a former owner')
  proxy.restore()
  await until('both run half again', () => runs(first) === 2 && runs(second) === 2)
  await systemClock.sleep(300)
  expect(first.state().thread).toBe('running')
  await expectCounted(await asked.stop())
})

it.each([
  ['before it had sent its offsets', apiKeys.txnOffsetCommit],
  ['before it was decided', apiKeys.endTxn],
])(
  'what a process that died in its first transaction, %s, left open is ended, too',
  async (_when, apiKey) => {
    const proxy = await proxied(kafka())
    const first = await start(await connect(proxy.brokers), 'first')
    await until('the first runs all', () => runs(first) === partitions)
    const unsent = proxy.rule({ direction: 'request', apiKey }, 'drop')
    const asked = load()
    await unsent.hit
    proxy.refuse()
    unsent.release()
    const { logger, lines } = recorder()
    const second = await start(await connect(kafka().brokers), 'second', logger)
    await until('the second runs all', () => runs(second) === partitions)
    expect(lines).toContain('taking over the transactional id of a former owner')
    proxy.restore()
    await expectCounted(await asked.stop())
  },
)

it('a process that comes back before its session has run out has its tasks at once, and nobody else moves', async () => {
  const proxy = await proxied(kafka())
  const asked = load()
  const first = await start(await connect(proxy.brokers), 'first')
  const { logger, lines } = recorder()
  const second = await start(log, 'second', logger)
  await until('both run half', () => runs(first) === 2 && runs(second) === 2)
  const tasksOf = (streams: Streams): string[] =>
    streams
      .state()
      .tasks.map(({ taskId }) => taskId)
      .toSorted()
  const had = tasksOf(first)
  const changes = lines.filter((line) => line === 'task state changed').length
  proxy.refuse()
  // As a crash leaves it. The process itself is left alone, a zombie.
  await cp(join(directory, 'first'), join(directory, 'again'), { recursive: true })
  const again = await start(await connect(kafka().brokers), 'again')
  await until('it runs what it had', () => runs(again) === 2)
  expect(tasksOf(again)).toEqual(had)
  expect(lines.filter((line) => line === 'task state changed').length).toBe(changes)
  proxy.restore()
  expect(await first.failed).toMatchObject({ code: 'PROCESSOR_FENCED' })
  await expectCounted(await asked.stop())
})
