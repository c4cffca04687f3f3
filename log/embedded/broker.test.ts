import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { RocksDatabase } from '#core'
import { appendValues, readAll, valuesOf } from '../conformance/harness.ts'
import { EmbeddedBroker } from './index.ts'
import { batchKey } from './keys.ts'
import { createTopic, openTestLog, testDirectory } from './test-broker.ts'
import { TestClock } from './test-clock.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

describe('EmbeddedBroker.open', () => {
  it('refuses a directory in use, naming it', async () => {
    const dir = await testDirectory()
    await openTestLog(dir)
    const failure = await EmbeddedBroker.open({ dir, clock: new TestClock() }).catch(
      (error: unknown) => error,
    )
    expect(failure).toMatchObject({ code: 'LOG_IN_USE' })
    expect((failure as Error).message).toContain(dir)
    expect((failure as Error).message).not.toContain('\n')
  })

  it('does not call a place where nothing can be created damaged', async () => {
    const dir = await testDirectory()
    await writeFile(join(dir, 'file'), '')
    const open = (path: string): Promise<EmbeddedBroker> =>
      EmbeddedBroker.open({ dir: join(dir, path), clock: new TestClock() })
    await expect(open('file')).rejects.toMatchObject({ code: 'ROCKSDB_FAILED' })
    await expect(open('file/below')).rejects.toMatchObject({ code: 'DIRECTORY_FAILED' })
  })

  it('never stamps a time below the last one, also after a restart with a clock that went back', async () => {
    const dir = await testDirectory()
    const clock = new TestClock(5000)
    const first = await openTestLog(dir, { clock })
    await createTopic(first.log, 't', { timestamps: 'log-append' })
    await appendValues(first.log, 't', ['a'])
    await first.close()
    clock.set(3000)
    const { log } = await openTestLog(dir, { clock })
    await appendValues(log, 't', ['b'])
    clock.set(6000)
    await appendValues(log, 't', ['c'])
    expect((await readAll(log, 't')).map(({ timestamp }) => timestamp)).toEqual([5000, 5000, 6000])
  })

  it('finishes the deletion of a topic that a crash cut short', async () => {
    const dir = await testDirectory()
    const first = await openTestLog(dir)
    await createTopic(first.log, 't')
    await createTopic(first.log, 'other')
    await appendValues(first.log, 't', ['a'])
    await appendValues(first.log, 'other', ['b'])
    vi.spyOn(RocksDatabase.prototype, 'deleteRange').mockRejectedValue(new Error('killed here'))
    await expect(first.log.admin.deleteTopics(['t'])).rejects.toThrow('killed here')
    await first.close()
    vi.restoreAllMocks()
    const second = await openTestLog(dir)
    expect(valuesOf(await readAll(second.log, 'other'))).toEqual(['b'])
    await second.close()
    const database = await RocksDatabase.open(dir)
    const values = [...database.scan()].map(([, value]) => value.toString('latin1'))
    await database.close()
    expect(values.filter((value) => value.includes('maxMessageBytes')).length).toBe(1)
    expect([...values].filter((value) => value.length > 61 && value.charCodeAt(16) === 2).length).toBe(1)
  })
})

describe('reading', () => {
  it('reaches the end of a partition whose last records are gone', async () => {
    const dir = await testDirectory()
    const first = await openTestLog(dir)
    await createTopic(first.log, 't')
    await appendValues(first.log, 't', ['a'])
    await appendValues(first.log, 't', ['b', 'c'])
    const topicId = (await first.log.admin.describeTopics(['t'])).get('t')?.topicId ?? ''
    await first.close()
    const database = await RocksDatabase.open(dir)
    const batch = database.batch()
    batch.delete(batchKey(topicId, 0, 1))
    database.write(batch, { sync: true })
    await database.close()
    const { log } = await openTestLog(dir)
    expect(valuesOf(await readAll(log, 't'))).toEqual(['a'])
    expect(valuesOf(await readAll(log, 't', 0, 2))).toEqual([])
    expect(await appendValues(log, 't', ['d'])).toEqual([3])
  })
})

describe('retention', () => {
  it('deletes whole batches that are too old, and never the last one', async () => {
    const clock = new TestClock(1000)
    const { broker, log } = await openTestLog(await testDirectory(), { clock })
    await createTopic(log, 't', { retentionMs: 100 })
    await createTopic(log, 'kept')
    for (const topic of ['t', 'kept']) {
      await appendValues(log, topic, ['a', 'b'], { timestamp: 1000 })
      await appendValues(log, topic, ['c'], { timestamp: 1050 })
      await appendValues(log, topic, ['d'], { timestamp: 1020 })
    }
    clock.set(1101)
    await broker.applyRetention()
    expect(valuesOf(await readAll(log, 't'))).toEqual(['c', 'd'])
    clock.set(9000)
    await broker.applyRetention()
    expect(valuesOf(await readAll(log, 't'))).toEqual(['d'])
    expect(await log.admin.offsets([{ topic: 't', partition: 0 }])).toMatchObject([
      { start: 3, highWatermark: 4 },
    ])
    expect((await readAll(log, 'kept')).length).toBe(4)
  })

  it('is applied by itself from time to time', async () => {
    const clock = new TestClock(1000)
    const { log } = await openTestLog(await testDirectory(), { clock, maintenanceIntervalMs: 500 })
    await createTopic(log, 't', { retentionMs: 100 })
    await appendValues(log, 't', ['a'], { timestamp: 1000 })
    await appendValues(log, 't', ['b'], { timestamp: 1000 })
    clock.set(1500)
    await vi.waitFor(async () => expect(valuesOf(await readAll(log, 't'))).toEqual(['b']))
  })
})
