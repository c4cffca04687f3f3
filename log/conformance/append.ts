import { expect } from 'vitest'
import { partitionOf } from '../index.ts'
import { appendValues, freshName, readAll, valuesOf } from './harness.ts'
import type { Define } from './harness.ts'

export function appendTests(define: Define): void {
  define('gives offsets in the order of the calls', async ({ log, topic }) => {
    const name = await topic()
    const values = Array.from({ length: 200 }, (_, index) => `v${index}`)
    const first = await appendValues(log, name, values.slice(0, 150))
    const second = await appendValues(log, name, values.slice(150))
    expect([...first, ...second]).toEqual(values.map((_, index) => index))
    expect(valuesOf(await readAll(log, name))).toEqual(values)
  })

  define('keeps the order of appends that did not wait for one another', async ({ log, topic, sleep }) => {
    const name = await topic()
    const appender = log.appender()
    const appends: Promise<{ offset: number }>[] = []
    for (let turn = 0; turn < 10; turn++) {
      for (let at = 0; at < 10; at++) {
        appends.push(appender.append({ topic: name, key: 'k', value: `${turn}.${at}` }))
      }
      await sleep(1)
    }
    const offsets = (await Promise.all(appends)).map(({ offset }) => offset)
    expect(offsets).toEqual(offsets.map((_, index) => index))
  })

  define('tells null from empty, and keeps headers and timestamps', async ({ log, topic }) => {
    const name = await topic()
    const appender = log.appender()
    const headers = [
      { key: 'trace', value: 'abc' },
      { key: 'trace', value: Buffer.from([0xe2, 0x82, 0xac]) },
      { key: '', value: null },
    ]
    await Promise.all([
      appender.append({ topic: name, key: 'k', value: null, timestamp: 1000 }),
      appender.append({ topic: name, key: null, value: '', timestamp: 500 }),
      appender.append({ topic: name, key: '', value: 'v', headers, timestamp: 1_700_000_000_000 }),
    ])
    const partition = 0
    const readHeaders = [
      { key: 'trace', value: 'abc' },
      { key: 'trace', value: '€' },
      { key: '', value: null },
    ]
    expect(await readAll(log, name)).toEqual([
      { partition, offset: 0, timestamp: 1000, key: 'k', value: null, headers: [] },
      { partition, offset: 1, timestamp: 500, key: null, value: '', headers: [] },
      { partition, offset: 2, timestamp: 1_700_000_000_000, key: '', value: 'v', headers: readHeaders },
    ])
  })

  define('copies what it is given before append returns', async ({ log, topic }) => {
    const name = await topic()
    const value = Buffer.from('before')
    const appender = log.appender()
    const first = appender.append({ topic: name, key: null, value })
    value.write('after!')
    await first
    const second = appender.append({ topic: name, key: null, value })
    value.write('never!')
    await second
    expect(valuesOf(await readAll(log, name))).toEqual(['before', 'after!'])
  })

  define('chooses the partition of a key as Java does, and 0 without a key', async ({ log, topic }) => {
    const name = await topic(4)
    const appender = log.appender()
    for (const key of ['21', 'foobar', 'order-1', 'order-2', 'order-3', 'ключ']) {
      const { partition } = await appender.append({ topic: name, key, value: 'v' })
      expect(partition).toBe(partitionOf(key, 4))
    }
    expect((await appender.append({ topic: name, key: null, value: 'v' })).partition).toBe(0)
    expect((await appender.append({ topic: name, partition: 3, key: 'x', value: 'v' })).partition).toBe(3)
  })

  define('refuses a record that is too large, and takes its neighbours', async ({ log, topic }) => {
    const name = await topic(1, { maxMessageBytes: 2000 })
    const appender = log.appender()
    const results = await Promise.allSettled(
      ['a', 'x'.repeat(3000), 'b'].map((value) => appender.append({ topic: name, key: null, value })),
    )
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(results[1]).toMatchObject({ reason: { code: 'LOG_RECORD_TOO_LARGE' } })
    expect(valuesOf(await readAll(log, name))).toEqual(['a', 'b'])
  })

  define('takes more in one turn than fits into one batch', async ({ log, topic }) => {
    const name = await topic(1, { maxMessageBytes: 2000 })
    const values = Array.from({ length: 10 }, (_, index) => `${index}`.repeat(700))
    expect(await appendValues(log, name, values)).toEqual(values.map((_, index) => index))
    expect(valuesOf(await readAll(log, name))).toEqual(values)
  })

  define('refuses appends beyond its buffer, and takes them again later', async ({ log, topic }) => {
    const name = await topic()
    const appender = log.appender({ bufferBytesMax: 1000 })
    const value = 'x'.repeat(300)
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, () => appender.append({ topic: name, key: null, value })),
    )
    const rejected = results.filter((result) => result.status === 'rejected')
    expect(rejected.length).toBeGreaterThan(10)
    expect(rejected.length).toBeLessThan(20)
    for (const { reason } of rejected) expect(reason).toMatchObject({ code: 'LOG_OVERLOADED' })
    await appender.append({ topic: name, key: null, value: 'later' })
    expect((await readAll(log, name)).length).toBe(20 - rejected.length + 1)
  })

  define('refuses an unknown topic and a partition that does not exist', async ({ log, topic }) => {
    const appender = log.appender()
    await expect(appender.append({ topic: freshName('none'), key: null, value: 'v' })).rejects.toMatchObject({
      code: 'LOG_UNKNOWN_TOPIC',
    })
    const name = await topic(2)
    await expect(appender.append({ topic: name, partition: 2, key: null, value: 'v' })).rejects.toMatchObject(
      { code: 'LOG_UNKNOWN_TOPIC' },
    )
  })

  define('stamps records of a log-append topic, never going back', async ({ log, topic, clock, sleep }) => {
    const name = await topic(1, { timestamps: 'log-append' })
    const before = clock?.now() ?? 0
    await appendValues(log, name, ['a', 'b'], { timestamp: 5 })
    await sleep(3)
    await appendValues(log, name, ['c'], { timestamp: 9_999_999_999_999 })
    const times = (await readAll(log, name)).map(({ timestamp }) => timestamp)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    // A log may run on another machine's clock; within a minute is near enough to tell it from the writer's time.
    for (const time of times) expect(Math.abs(time - before)).toBeLessThan(60_000)
  })

  define('finishes what is in flight when it closes, then refuses', async ({ log, topic }) => {
    const name = await topic()
    const appender = log.appender()
    const inFlight = appender.append({ topic: name, key: null, value: 'v' })
    await appender.close()
    expect(await inFlight).toEqual({ partition: 0, offset: 0 })
    await expect(appender.append({ topic: name, key: null, value: 'w' })).rejects.toMatchObject({
      code: 'LOG_CLOSED',
    })
    await appender.close()
  })
}
