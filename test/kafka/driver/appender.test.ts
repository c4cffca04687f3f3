import { describe, expect, it } from 'vitest'
import { systemClock } from '#core'
import type { Appended } from '#log'
import { apiKeys, kafka } from '../../servers/kafka/index.ts'
import { expectEachOnceInOrder } from './each-once.ts'
import { connect, makeTopic, proxied, readValues } from './kafka-logs.ts'

const { sleep } = systemClock

it('writes each record once and in order while connections are cut again and again', async () => {
  const shared = kafka()
  const proxy = await proxied(shared)
  const log = await connect(`${proxy.brokers}?requestTimeoutMs=2000`)
  const partitions = 3
  const topic = await makeTopic(log, `${shared.prefix}topic`, partitions)
  const appender = log.appender()
  const cuts = proxy.cutAtRandom({ seed: 7, fromMs: 30, toMs: 200 })
  const appends: Promise<Appended>[] = []
  for (let turn = 0; turn < 400; turn++) {
    for (let at = 0; at < 10; at++) {
      const value = `${turn * 10 + at}`
      appends.push(appender.append({ topic, partition: at % partitions, key: null, value }))
    }
    await sleep(10)
  }
  const appended = await Promise.all(appends)
  cuts.stop()
  expect(cuts.cuts).toBeGreaterThan(5)
  const values = await readValues(await connect(shared.brokers), topic, partitions)
  expectEachOnceInOrder(appended, values)
})

describe('a record whose answer does not come in time', () => {
  it('is unknown when it was sent', async () => {
    const shared = kafka()
    const proxy = await proxied(shared)
    const log = await connect(`${proxy.brokers}?requestTimeoutMs=1500`, { deliveryTimeoutMs: 6000 })
    const topic = await makeTopic(log, `${shared.prefix}topic`)
    const appender = log.appender()
    await appender.append({ topic, key: null, value: 'before' })
    const rule = proxy.rule({ direction: 'response', apiKey: apiKeys.produce }, 'drop')
    await expect(appender.append({ topic, key: null, value: 'maybe' })).rejects.toMatchObject({
      code: 'LOG_APPEND_UNKNOWN',
    })
    rule.release()
    await appender.append({ topic, key: null, value: 'after' })
    // The proxy swallowed answers only, and the broker knew the repetitions.
    const values = await readValues(log, topic)
    expect(values.map(({ value }) => value)).toEqual(['before', 'maybe', 'after'])
  })

  it('was surely not appended when no broker could be reached', async () => {
    const shared = kafka()
    const proxy = await proxied(shared)
    const log = await connect(`${proxy.brokers}?requestTimeoutMs=1500`, { deliveryTimeoutMs: 10_000 })
    const topic = await makeTopic(log, `${shared.prefix}topic`)
    const appender = log.appender()
    await appender.append({ topic, key: null, value: 'before' })
    // Nobody listens there any more, and the appender's connection has seen it.
    await proxy.close()
    await sleep(1000)
    await expect(appender.append({ topic, key: null, value: 'never' })).rejects.toMatchObject({
      code: 'LOG_APPEND_FAILED',
    })
    const values = await readValues(await connect(shared.brokers), topic)
    expect(values.map(({ value }) => value)).toEqual(['before'])
  })
})

it('finds out that a topic takes less than it did', async () => {
  const shared = kafka()
  const log = await connect(shared.brokers)
  const topic = await makeTopic(log, `${shared.prefix}topic`)
  const appender = log.appender()
  await appender.append({ topic, key: null, value: 'before' })
  const other = await connect(shared.brokers)
  await other.admin.deleteTopics([topic])
  const settings = { cleanup: 'delete', maxMessageBytes: 2000 } as const
  await other.admin.ensureTopics([{ name: topic, partitions: 1, settings }])
  // The appender still believes in 1 MiB.
  const results = await Promise.allSettled(
    ['a', 'b'.repeat(1500), 'c'.repeat(3000), 'd'.repeat(1500), 'e'].map((value) =>
      appender.append({ topic, key: null, value }),
    ),
  )
  expect(results.map(({ status }) => status)).toEqual([
    'fulfilled',
    'fulfilled',
    'rejected',
    'fulfilled',
    'fulfilled',
  ])
  expect(results[2]).toMatchObject({ reason: { code: 'LOG_RECORD_TOO_LARGE' } })
  const values = await readValues(log, topic)
  expect(values.map(({ value }) => value[0])).toEqual(['a', 'b', 'd', 'e'])
})
