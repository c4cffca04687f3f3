/** Three brokers of the test's own, one of which goes away and comes back at a time. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { systemClock } from '#core'
import type { Appended, Log, Transactor } from '#log'
import { apiKeys, kafkaTools, startKafka } from '../../servers/kafka/index.ts'
import { expectEachOnceInOrder } from './each-once.ts'
import { connect, makeTopic, pollValues, proxied, readValues, request, untilStable } from './kafka-logs.ts'
import type { ReadValue } from './kafka-logs.ts'

type Cluster = Awaited<ReturnType<typeof startKafka>>
let cluster: Cluster
beforeAll(async () => {
  cluster = await startKafka({ nodes: 3, properties: { 'producer.id.expiration.ms': 3000 } })
})
afterAll(() => cluster.stop())

const partitions = 6

async function setUp(): Promise<{ readonly log: Log; readonly topic: string }> {
  const log = await connect(`${cluster.brokers}?requestTimeoutMs=3000`)
  const name = `topic-${Math.random().toString(36).slice(2)}`
  return { log, topic: await makeTopic(log, name, partitions) }
}

/** Every broker in turn: orderly, then killed. */
async function roll(): Promise<void> {
  for (const [index, node] of cluster.nodes.entries()) {
    await (index === 1 ? node.kill() : node.stop())
    await systemClock.sleep(1500)
    await node.start()
    await systemClock.sleep(2500)
  }
}

interface Rolling {
  now: boolean
}

/** Appends without a pause and reads along; resolves when all is read. */
async function appending(rolling: Rolling): Promise<void> {
  const { log, topic } = await setUp()
  const appender = log.appender()
  const reader = (await connect(cluster.brokers)).reader()
  for (let partition = 0; partition < partitions; partition++) reader.seek({ topic, partition }, 0)
  const appends: Promise<Appended>[] = []
  const values: ReadValue[] = []
  const reading = (async () => {
    while (rolling.now || values.length < appends.length)
      values.push(...(await pollValues(reader, 200).catch(() => [])))
  })()
  while (rolling.now) {
    const value = `${appends.length}`
    appends.push(appender.append({ topic, partition: appends.length % partitions, key: null, value }))
    if (appends.length % 20 === 0) await systemClock.sleep(20)
  }
  const appended = await Promise.all(appends)
  await reading
  expectEachOnceInOrder(appended, values)
}

/** Commits one transaction after the other; after an unknown outcome it looks into the log. */
async function transacting(rolling: Rolling): Promise<void> {
  const { log, topic } = await setUp()
  const ids = [`${topic}-0`, `${topic}-1`]
  let transactors = await Promise.all(ids.map((id) => log.transactor(id)))
  const rounds: number[] = []
  const outcomes = new Set<string>()
  for (let round = 0; rolling.now; round++) {
    const transactor = transactors[round % 2] as Transactor
    const value = `${round}`
    const values = Array.from({ length: partitions }, () => value)
    const outcome =
      (await transactor.prepare(request(topic, `${topic}-group`, round, values))) ??
      (await transactor.commit())
    outcomes.add(outcome.kind)
    if (outcome.kind === 'committed') rounds.push(round)
    if (outcome.kind !== 'unknown') continue
    await Promise.all(transactors.map((one) => one.close()))
    transactors = await Promise.all(ids.map((id) => log.transactor(id)))
    await untilStable(log, topic, partitions)
    if ((await readValues(log, topic)).some((one) => one.value === value)) rounds.push(round)
  }
  await untilStable(log, topic, partitions)
  expect([...outcomes]).not.toContain('fenced')
  expect(rounds.length).toBeGreaterThan(20)
  const values = await readValues(log, topic, partitions)
  for (let partition = 0; partition < partitions; partition++) {
    const here = values.filter((one) => one.partition === partition).map(({ value }) => Number(value))
    expect(here).toEqual(rounds)
  }
}

it('writes all once and in order while each broker goes and comes', async () => {
  const rolling: Rolling = { now: true }
  const working = Promise.all([appending(rolling), transacting(rolling)])
  await roll()
  rolling.now = false
  await working
})

it('appends on after the brokers have forgotten its producer', async () => {
  const { log, topic } = await setUp()
  const appender = log.appender()
  for (const value of ['a', 'b']) await appender.append({ topic, partition: 0, key: null, value })
  await systemClock.sleep(5000)
  for (const value of ['c', 'd']) await appender.append({ topic, partition: 0, key: null, value })
  expect((await readValues(log, topic)).map(({ value }) => value)).toEqual(['a', 'b', 'c', 'd'])
})

it('keeps the order of the first batches when the first is refused and the next would be taken', async () => {
  // A broker takes any batch of a producer it knows nothing of: KAFKA-15591.
  const proxy = await proxied(cluster)
  // What is held back outlasts the tools, each a JVM of its own.
  const log = await connect(`${proxy.brokers}?requestTimeoutMs=60000`, { deliveryTimeoutMs: 120_000 })
  const topic = `topic-${Math.random().toString(36).slice(2)}`
  // Of two copies the leader moves to and fro.
  const settings = { cleanup: 'delete' } as const
  await log.admin.ensureTopics([{ name: topic, partitions: 2, replicationFactor: 2, settings }])
  const tools = kafkaTools(cluster.brokers)
  const appender = log.appender()
  // From now on it thinks it knows the other partition's leader too.
  await appender.append({ topic, partition: 1, key: null, value: 'elsewhere' })
  await tools.moveLeader(topic, 0)
  const refusal = proxy.rule({ direction: 'response', apiKey: apiKeys.produce, nth: 1 }, 'hold')
  const next = proxy.rule({ direction: 'request', apiKey: apiKeys.produce, nth: 2 }, 'hold')
  const first = appender.append({ topic, partition: 0, key: null, value: 'first' })
  await refusal.hit
  const second = appender.append({ topic, partition: 0, key: null, value: 'second' })
  await systemClock.sleep(200)
  await tools.moveLeader(topic, 0)
  refusal.release()
  await systemClock.sleep(200)
  next.release()
  await Promise.all([first, second])
  expect((await readValues(log, topic)).map(({ value }) => value)).toEqual(['first', 'second'])
})
