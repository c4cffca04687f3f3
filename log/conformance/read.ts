import { expect } from 'vitest'
import { appendValues, freshName, pollRecords, readAll, valuesOf } from './harness.ts'
import type { Define } from './harness.ts'

export function readTests(define: Define): void {
  define('shows an acknowledged record to every reader at once', async ({ log, connect, topic }) => {
    const name = await topic()
    const other = await connect()
    for (let round = 0; round < 5; round++) {
      await appendValues(log, name, [`${round}`])
      const place = { topic: name, partition: 0 }
      expect(await other.admin.offsets([place])).toEqual([
        { ...place, start: 0, highWatermark: round + 1, lastStableOffset: round + 1 },
      ])
      expect((await readAll(other, name)).length).toBe(round + 1)
    }
  })

  define('starts in the middle of a batch', async ({ log, topic }) => {
    const name = await topic()
    await appendValues(log, name, ['a', 'b', 'c', 'd'])
    await appendValues(log, name, ['e'])
    for (const [from, expected] of [
      [0, 'abcde'],
      [2, 'cde'],
      [3, 'de'],
      [4, 'e'],
      [5, ''],
    ] as const) {
      expect(valuesOf(await readAll(log, name, 0, from)).join('')).toBe(expected)
    }
  })

  define('says where reading goes on and how far behind it is', async ({ log, topic }) => {
    const name = await topic()
    await appendValues(log, name, ['a', 'b'])
    await appendValues(log, name, ['c'])
    const place = { topic: name, partition: 0 }
    const reader = log.reader({ partitionBytesMax: 1 })
    expect(reader.position(place)).toBeUndefined()
    reader.seek(place, 1)
    expect(reader.position(place)).toBe(1)
    const [first] = await reader.poll(5000)
    expect(first).toMatchObject({ ...place, startOffset: 1, nextOffset: 2, highWatermark: 3 })
    expect(reader.position(place)).toBe(2)
    const [second] = await reader.poll(5000)
    expect(second).toMatchObject({ ...place, startOffset: 2, nextOffset: 3, highWatermark: 3 })
    await reader.close()
  })

  define('waits for the first record to come', async ({ log, topic, sleep }) => {
    const name = await topic()
    const reader = log.reader()
    reader.seek({ topic: name, partition: 0 }, 0)
    const polling = pollRecords(reader, 5000)
    await sleep(5)
    await appendValues(log, name, ['v'])
    expect(valuesOf(await polling)).toEqual(['v'])
    await reader.close()
  })

  define('answers nothing when nothing comes', async ({ log, topic }) => {
    const name = await topic()
    const reader = log.reader()
    expect(await reader.poll(1)).toEqual([])
    reader.seek({ topic: name, partition: 0 }, 0)
    expect(await reader.poll(0)).toEqual([])
    expect(await reader.poll(10)).toEqual([])
    await reader.close()
  })

  define('returns from a waiting poll on wakeup, and goes on afterwards', async ({ log, topic, sleep }) => {
    const name = await topic()
    const reader = log.reader()
    reader.seek({ topic: name, partition: 0 }, 0)
    const polling = reader.poll(60_000)
    await sleep(5)
    reader.wakeup()
    expect(await polling).toEqual([])
    await appendValues(log, name, ['v'])
    expect(valuesOf(await pollRecords(reader))).toEqual(['v'])
    await reader.close()
  })

  define('passes a paused partition over', async ({ log, topic }) => {
    const name = await topic(2)
    await appendValues(log, name, ['zero'])
    await appendValues(log, name, ['one'], { partition: 1 })
    const reader = log.reader()
    reader.seek({ topic: name, partition: 0 }, 0)
    reader.seek({ topic: name, partition: 1 }, 0)
    reader.pause({ topic: name, partition: 0 })
    expect(valuesOf(await pollRecords(reader))).toEqual(['one'])
    expect(await pollRecords(reader, 5)).toEqual([])
    expect(reader.position({ topic: name, partition: 0 })).toBe(0)
    reader.resume({ topic: name, partition: 0 })
    expect(valuesOf(await pollRecords(reader))).toEqual(['zero'])
    await reader.close()
  })

  define('resume and seek reach a poll that waits', async ({ log, topic, sleep }) => {
    const name = await topic(2)
    await appendValues(log, name, ['a', 'b'])
    await appendValues(log, name, ['c'], { partition: 1 })
    const reader = log.reader()
    reader.seek({ topic: name, partition: 0 }, 2)
    reader.seek({ topic: name, partition: 1 }, 0)
    reader.pause({ topic: name, partition: 1 })
    let polling = pollRecords(reader, 5000)
    await sleep(5)
    reader.resume({ topic: name, partition: 1 })
    expect(valuesOf(await polling)).toEqual(['c'])
    polling = pollRecords(reader, 5000)
    await sleep(5)
    reader.seek({ topic: name, partition: 0 }, 1)
    expect(valuesOf(await polling)).toEqual(['b'])
    await reader.close()
  })

  define(
    'never gives records of a partition removed or paused while it was polled',
    async ({ log, topic }) => {
      const name = await topic(2)
      await appendValues(log, name, ['a'])
      await appendValues(log, name, ['b'], { partition: 1 })
      const reader = log.reader()
      reader.seek({ topic: name, partition: 0 }, 0)
      reader.seek({ topic: name, partition: 1 }, 0)
      const polling = pollRecords(reader, 20)
      reader.remove({ topic: name, partition: 0 })
      reader.pause({ topic: name, partition: 1 })
      expect(await polling).toEqual([])
      expect(reader.position({ topic: name, partition: 0 })).toBeUndefined()
      expect(reader.position({ topic: name, partition: 1 })).toBe(0)
      await reader.close()
    },
  )

  define('lets no partition starve', async ({ log, topic }) => {
    const name = await topic(3)
    const partitions = [0, 1, 2]
    for (const partition of partitions) {
      for (let batch = 0; batch < 6; batch++) {
        await appendValues(log, name, ['x'.repeat(500)], { partition })
      }
    }
    const reader = log.reader({ partitionBytesMax: 1000, pollBytesMax: 1000 })
    for (const partition of partitions) reader.seek({ topic: name, partition }, 0)
    for (let poll = 0; poll < 6; poll++) await reader.poll(5000)
    for (const partition of partitions) expect(reader.position({ topic: name, partition })).toBeGreaterThan(0)
    await reader.close()
  })

  define('lets everything else run while it catches up', async ({ log, topic, clock }) => {
    const name = await topic()
    const place = { topic: name, partition: 0 }
    for (let batch = 0; batch < 5; batch++) await appendValues(log, name, ['v'])
    const reader = log.reader({ partitionBytesMax: 1 })
    reader.seek(place, 0)
    let turned = false
    const turn = clock?.yield().then(() => (turned = true))
    while ((reader.position(place) ?? 0) < 5) await reader.poll(1000)
    expect(turned).toBe(true)
    await turn
    await reader.close()
  })

  define('gives a batch that is larger than its limits', async ({ log, topic }) => {
    const name = await topic()
    await appendValues(log, name, ['x'.repeat(5000)])
    const reader = log.reader({ partitionBytesMax: 100, pollBytesMax: 100 })
    reader.seek({ topic: name, partition: 0 }, 0)
    expect((await pollRecords(reader)).length).toBe(1)
    await reader.close()
  })

  define('fails outside of the log, naming what it holds', async ({ log, topic }) => {
    const name = await topic()
    await appendValues(log, name, ['a', 'b', 'c'])
    const place = { topic: name, partition: 0 }
    await log.admin.deleteRecords([{ ...place, offset: 1 }])
    const reader = log.reader()
    for (const offset of [0, 4]) {
      reader.seek(place, offset)
      // It need not wait for that long, but a log that is slow to answer may take more than a moment.
      await expect(reader.poll(5000)).rejects.toMatchObject({
        code: 'LOG_OFFSET_OUT_OF_RANGE',
        context: { ...place, offset, start: 1, end: 3 },
      })
    }
    reader.seek(place, 1)
    expect(valuesOf(await pollRecords(reader))).toEqual(['b', 'c'])
    await reader.close()
  })

  define('fails for an unknown topic', async ({ log }) => {
    const reader = log.reader()
    reader.seek({ topic: freshName('none'), partition: 0 }, 0)
    await expect(reader.poll(5000)).rejects.toMatchObject({ code: 'LOG_UNKNOWN_TOPIC' })
    await reader.close()
  })

  define('fails a waiting poll when it closes', async ({ log, topic, sleep }) => {
    const name = await topic()
    const reader = log.reader()
    reader.seek({ topic: name, partition: 0 }, 0)
    const polling = expect(reader.poll(60_000)).rejects.toMatchObject({ code: 'LOG_CLOSED' })
    await sleep(5)
    await reader.close()
    await polling
    await expect(reader.poll(0)).rejects.toMatchObject({ code: 'LOG_CLOSED' })
  })
}
