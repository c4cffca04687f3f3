import { describe, expect, it } from 'vitest'
import { systemClock } from '#core'
import { apiKeys, kafka } from '../../servers/kafka/index.ts'
import { connect, makeTopic, pollValues, proxied, readValues, request, untilStable } from './kafka-logs.ts'
import type { ReadValue } from './kafka-logs.ts'

it('reads each committed record once and in order while connections are cut again and again', async () => {
  const shared = kafka()
  const proxy = await proxied(shared)
  const log = await connect(shared.brokers)
  const partitions = 3
  const topic = await makeTopic(log, `${shared.prefix}topic`, partitions)
  const reading = await connect(`${proxy.brokers}?requestTimeoutMs=2000`)
  const reader = reading.reader({ partitionBytesMax: 2000 })
  for (let partition = 0; partition < partitions; partition++) reader.seek({ topic, partition }, 0)
  const cuts = proxy.cutAtRandom({ seed: 11, fromMs: 20, toMs: 120 })
  const rounds = 150
  const writing = (async () => {
    const transactor = await log.transactor(`${shared.prefix}tx`)
    for (let round = 0; round < rounds; round++) {
      const value = `${round}`
      await transactor.prepare(request(topic, `${shared.prefix}group`, round, [value, value, value]))
      await (round % 4 === 3 ? transactor.abort() : transactor.commit())
    }
  })()
  const committed = Array.from({ length: rounds }, (_, round) => round).filter((round) => round % 4 !== 3)
  const values: ReadValue[] = []
  while (values.length < partitions * committed.length) values.push(...(await pollValues(reader)))
  await writing
  cuts.stop()
  expect(cuts.cuts).toBeGreaterThan(5)
  for (let partition = 0; partition < partitions; partition++) {
    const here = values.filter((one) => one.partition === partition).map(({ value }) => Number(value))
    expect(here).toEqual(committed)
  }
  await untilStable(log, topic, partitions)
  expect(await readValues(log, topic, partitions)).toHaveLength(values.length)
})

describe('brokers that cannot be reached', () => {
  it('are said when they stay away, and reading goes on when they are back', async () => {
    const shared = kafka()
    const proxy = await proxied(shared)
    const writing = await connect(shared.brokers)
    const topic = await makeTopic(writing, `${shared.prefix}topic`)
    const log = await connect(`${proxy.brokers}?requestTimeoutMs=500`)
    const reader = log.reader()
    reader.seek({ topic, partition: 0 }, 0)
    expect(await reader.poll(50)).toEqual([])
    proxy.refuse()
    const failing = (async () => {
      for (let polls = 0; polls < 30; polls++) await reader.poll(500)
    })()
    await expect(failing).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' })
    proxy.restore()
    const appender = writing.appender()
    await appender.append({ topic, key: null, value: 'back' })
    const values: ReadValue[] = []
    while (values.length === 0) values.push(...(await pollValues(reader).catch(() => [])))
    expect(values).toMatchObject([{ value: 'back' }])
  })
})

it('asks rarely while nothing comes', async () => {
  const shared = kafka()
  const proxy = await proxied(shared)
  const log = await connect(proxy.brokers)
  const topic = await makeTopic(log, `${shared.prefix}topic`)
  const reader = log.reader()
  reader.seek({ topic, partition: 0 }, 0)
  await reader.poll(20)
  const before = proxy.requests(apiKeys.fetch)
  const start = systemClock.now()
  while (systemClock.now() < start + 2000) await reader.poll(50)
  // The broker keeps each for half a second.
  const most = 3 + (systemClock.now() - start) / 500
  expect(proxy.requests(apiKeys.fetch) - before).toBeLessThanOrEqual(most)
})
