import { describe, expect, it, vi } from 'vitest'
import { SeededRandom } from '#core'
import type { Log } from '../index.ts'
import { readAll } from '../conformance/harness.ts'
import { createTopic, openTestLog, testDirectory } from './test-broker.ts'

async function appendRandom(
  log: Log,
  random: SeededRandom,
  model: Map<string, string>,
  count: number,
): Promise<void> {
  const appender = log.appender()
  for (let left = count; left > 0;) {
    const turn = Math.min(left, random.integer(1, 30))
    left -= turn
    await Promise.all(
      Array.from({ length: turn }, () => {
        const key = `k${random.integer(0, 50)}`
        const value = random.next() < 0.2 ? null : `${random.next()}`.repeat(20)
        if (value === null) model.delete(key)
        else model.set(key, value)
        return appender.append({ topic: 't', partition: 0, key, value })
      }),
    )
  }
}

async function fold(log: Log): Promise<Map<string, string>> {
  const folded = new Map<string, string>()
  let last = -1
  for (const { offset, key, value } of await readAll(log, 't')) {
    expect(offset).toBeGreaterThan(last)
    last = offset
    if (value === null) folded.delete(key ?? '')
    else folded.set(key ?? '', value)
  }
  return folded
}

describe('compaction', () => {
  it.each([1, 2, 3])('never changes what the log folds to (seed %i)', async (seed) => {
    const random = new SeededRandom(seed)
    const model = new Map<string, string>()
    const dir = await testDirectory()
    const first = await openTestLog(dir, { tailCacheBytes: 2000 })
    await createTopic(first.log, 't', { cleanup: 'compact', deleteRetentionMs: seed === 1 ? 0 : 60_000 })
    for (let round = 0; round < 5; round++) {
      await appendRandom(first.log, random, model, 200)
      const compacting = first.broker.compact('t')
      await appendRandom(first.log, random, model, 100)
      await compacting
      expect(await fold(first.log)).toEqual(model)
    }
    expect((await readAll(first.log, 't')).length).toBeLessThan(400)
    await appendRandom(first.log, random, model, 200)
    // A stop in the middle leaves a log that reads the same.
    void first.broker.compact('t')
    await new Promise((resolve) => setImmediate(resolve))
    await first.close()
    const second = await openTestLog(dir)
    expect(await fold(second.log)).toEqual(model)
    await second.broker.compact('t')
    expect(await fold(second.log)).toEqual(model)
  })

  it('starts by itself when most of the log is not compacted', async () => {
    const random = new SeededRandom(7)
    const model = new Map<string, string>()
    const { log } = await openTestLog(await testDirectory(), { compactionBytesMin: 20_000 })
    await createTopic(log, 't', { cleanup: 'compact' })
    await appendRandom(log, random, model, 1000)
    await vi.waitFor(async () => expect((await readAll(log, 't')).length).toBeLessThan(300))
    expect(await fold(log)).toEqual(model)
  })

  it('brings nothing back that was deleted meanwhile', async () => {
    const random = new SeededRandom(9)
    const { log, broker } = await openTestLog(await testDirectory())
    await createTopic(log, 't', { cleanup: 'compact' })
    await appendRandom(log, random, new Map(), 300)
    const compacting = broker.compact('t')
    const place = { topic: 't', partition: 0 }
    await log.admin.deleteRecords([{ ...place, offset: 290 }])
    await compacting
    expect((await readAll(log, 't')).every(({ offset }) => offset >= 290)).toBe(true)
    await log.admin.deleteTopics(['t'])
    await expect(broker.compact('t')).rejects.toMatchObject({ code: 'LOG_UNKNOWN_TOPIC' })
  })
})
