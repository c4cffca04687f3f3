import { expect } from 'vitest'
import { appendValues, readAll } from './harness.ts'
import type { Define, TestContext } from './harness.ts'

type Pair = readonly [key: string | null, value: string | null]

async function appendPairs({ log }: TestContext, topic: string, pairs: readonly Pair[]): Promise<void> {
  const appender = log.appender()
  await Promise.all(pairs.map(([key, value]) => appender.append({ topic, partition: 0, key, value })))
  await appender.close()
}

async function readPairs({ log }: TestContext, topic: string): Promise<unknown[]> {
  return (await readAll(log, topic)).map(({ offset, key, value }) => [offset, key, value])
}

export function compactionTests(define: Define): void {
  define('keeps the last record of each key at its offset', async (context) => {
    const name = await context.topic(1, { cleanup: 'compact' })
    await appendPairs(context, name, [
      ['a', '1'],
      ['b', '1'],
      ['a', '2'],
    ])
    await appendPairs(context, name, [
      ['c', '1'],
      ['a', '3'],
    ])
    await appendPairs(context, name, [['end', 'of log']])
    await context.compact?.(name)
    expect(await readPairs(context, name)).toEqual([
      [1, 'b', '1'],
      [3, 'c', '1'],
      [4, 'a', '3'],
      [5, 'end', 'of log'],
    ])
    await appendPairs(context, name, [['b', '2']])
    await appendPairs(context, name, [['last', 'again']])
    await context.compact?.(name)
    expect(await readPairs(context, name)).toEqual([
      [3, 'c', '1'],
      [4, 'a', '3'],
      [5, 'end', 'of log'],
      [6, 'b', '2'],
      [7, 'last', 'again'],
    ])
  })

  define('keeps tombstones for their time, then drops them', async (context) => {
    const name = await context.topic(1, { cleanup: 'compact', deleteRetentionMs: 50 })
    await appendPairs(context, name, [
      ['a', '1'],
      ['b', '1'],
    ])
    await appendPairs(context, name, [['a', null]])
    await appendPairs(context, name, [['end', '1']])
    await context.compact?.(name)
    expect(await readPairs(context, name)).toEqual([
      [1, 'b', '1'],
      [2, 'a', null],
      [3, 'end', '1'],
    ])
    await context.sleep(80)
    await context.compact?.(name)
    expect(await readPairs(context, name)).toEqual([
      [1, 'b', '1'],
      [3, 'end', '1'],
    ])
  })

  define('lets a reader pass over what was compacted away', async (context) => {
    const name = await context.topic(1, { cleanup: 'compact' })
    const place = { topic: name, partition: 0 }
    for (let round = 0; round < 20; round++) await appendPairs(context, name, [['a', `${round}`]])
    await context.compact?.(name)
    for (const from of [0, 5, 18, 19]) {
      const reader = context.log.reader()
      reader.seek(place, from)
      while ((reader.position(place) ?? 0) < 20) await reader.poll(1000)
      expect(reader.position(place)).toBe(20)
      await reader.close()
    }
    expect(await appendValues(context.log, name, ['v'])).toEqual([20])
  })

  define('keeps records without a key', async (context) => {
    const name = await context.topic(1, { cleanup: 'compact' })
    await appendPairs(context, name, [
      [null, 'x'],
      ['', 'empty key'],
      [null, 'y'],
    ])
    await appendPairs(context, name, [['end', '1']])
    await context.compact?.(name)
    expect((await readPairs(context, name)).length).toBe(4)
  })
}
