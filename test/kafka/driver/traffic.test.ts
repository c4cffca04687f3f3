/** What travels between the driver and its brokers: how many requests, over how many connections. */
import { expect, it } from 'vitest'
import { systemClock } from '#core'
import type { Appended } from '#log'
import { apiKeys, kafka } from '../../servers/kafka/index.ts'
import { connect, makeTopic, proxied } from './kafka-logs.ts'

it('records of one turn of the event loop travel in one request, and at most five requests are under way', async () => {
  const shared = kafka()
  const proxy = await proxied(shared)
  const log = await connect(proxy.brokers)
  const topic = await makeTopic(log, `${shared.prefix}topic`, 3)
  const appender = log.appender()
  const turn = (): Promise<Appended>[] =>
    Array.from({ length: 300 }, (_, at) =>
      appender.append({ topic, partition: at % 3, key: null, value: `${at}` }),
    )
  await Promise.all(turn())
  const before = proxy.requests(apiKeys.produce)
  await Promise.all(turn())
  expect(proxy.requests(apiKeys.produce) - before).toBe(1)

  const held = proxy.rule({ direction: 'response', apiKey: apiKeys.produce }, 'hold')
  const appends: Promise<Appended>[] = []
  for (let turns = 0; turns < 20; turns++) {
    appends.push(...turn())
    await systemClock.sleep(5)
  }
  await held.hit
  // The broker answers those that it has; what has not been sent by now waits for a place.
  await systemClock.sleep(100)
  expect(proxy.requests(apiKeys.produce) - before - 1).toBeLessThanOrEqual(5)
  held.release()
  await Promise.all(appends)
  // Everything that had to wait went together.
  expect(proxy.requests(apiKeys.produce) - before - 1).toBeLessThan(10)
})

it('parts of a log share connections for what does not wait, and open a new one when theirs breaks', async () => {
  const shared = kafka()
  const proxy = await proxied(shared)
  const log = await connect(proxy.brokers)
  const topic = await makeTopic(log, `${shared.prefix}topic`, 3)
  const places = [0, 1, 2].map((partition) => ({ topic, partition }))
  const ask = (): Promise<unknown> => Promise.all(Array.from({ length: 20 }, () => log.admin.offsets(places)))
  await ask()
  const before = proxy.connections
  await ask()
  expect(proxy.connections).toBe(before)
  proxy.cut()
  await ask()
  expect(proxy.connections).toBeLessThanOrEqual(before)
})

it('partitions that were asked for apart are asked for together again once their records come together', async () => {
  const shared = kafka()
  const proxy = await proxied(shared)
  const log = await connect(proxy.brokers)
  const topic = await makeTopic(log, `${shared.prefix}topic`, 2)
  const [appender, reader] = [log.appender(), log.reader()]
  const stop = new AbortController()
  let read = 0
  const reading = (async () => {
    while (!stop.signal.aborted)
      for (const { nextOffset, startOffset } of await reader.poll(1000)) read += nextOffset - startOffset
  })()
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await systemClock.sleep(5)
  }
  const fetches = (): number => proxy.requests(apiKeys.fetch)
  reader.seek({ topic, partition: 0 }, 0)
  await until(() => fetches() >= 1)
  reader.seek({ topic, partition: 1 }, 0)
  await until(() => fetches() >= 2)

  /** How many fetches follow on one record for each partition, whose answers come at the same time. */
  const round = async (number: number): Promise<number> => {
    const before = fetches()
    const held = proxy.rule({ direction: 'response', apiKey: apiKeys.fetch }, 'hold')
    await Promise.all([0, 1].map((partition) => appender.append({ topic, partition, key: null, value: 'v' })))
    await systemClock.sleep(100)
    held.release()
    await until(() => read === 2 * number)
    await systemClock.sleep(100)
    return fetches() - before
  }
  const counts: number[] = []
  while (counts.length < 20 && counts.at(-1) !== 1) counts.push(await round(counts.length + 1))
  stop.abort()
  reader.wakeup()
  await reading
  expect(counts.at(-1)).toBe(1)
})
