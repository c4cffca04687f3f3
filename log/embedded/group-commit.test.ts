import { afterEach, describe, expect, it, vi } from 'vitest'
import { RocksDatabase, noMetrics, systemClock } from '#core'
import { RecordBatchBuilder } from '../index.ts'
import type { Appended, Appender } from '../index.ts'
import { readAll, valuesOf } from '../conformance/harness.ts'
import { alone, committed, request } from '../conformance/transactions.ts'
import { GroupCommit } from './group-commit.ts'
import { PartitionLog } from './partition-log.ts'
import { TailCache } from './tail-cache.ts'
import { createTopic, openTestLog, testDirectory } from './test-broker.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

function failWrites(): void {
  vi.spyOn(RocksDatabase.prototype, 'write').mockImplementation(() => {
    throw new Error('No space left on device')
  })
}

function append(appender: Appender, partition: number): Promise<Appended> {
  return appender.append({ topic: 't', partition, key: null, value: 'v' })
}

describe('the group commit', () => {
  it('makes everything of one turn durable with one fsync', async () => {
    const { log } = await openTestLog(await testDirectory())
    await createTopic(log, 't', {}, 2)
    const appenders = [log.appender(), log.appender()]
    for (const appender of appenders) await append(appender, 0)
    const transactor = await log.transactor('tx')
    await transactor.prepare(request('t', alone('g'), 1, [['x']]))
    const write = vi.spyOn(RocksDatabase.prototype, 'write')
    await Promise.all(appenders.flatMap((appender) => [0, 1, 0, 1].map((at) => append(appender, at))))
    expect(write.mock.calls.map(([, options]) => options)).toEqual([{ sync: true }])
    write.mockClear()
    await transactor.commit()
    expect(write.mock.calls.map(([, options]) => options)).toEqual([{ sync: true }])
  })

  it('shows nothing before its fsync', async () => {
    const database = await RocksDatabase.open(await testDirectory())
    const topic = {
      name: 't',
      topicId: '00000000-0000-4000-8000-000000000000',
      partitions: 1,
      settings: {
        cleanup: 'delete',
        retentionMs: -1,
        timestamps: 'create',
        maxMessageBytes: 1000,
        deleteRetentionMs: 0,
      },
    } as const
    const partition = new PartitionLog(topic, 0, undefined)
    const published: number[] = []
    const commit = new GroupCommit({
      database,
      clock: systemClock,
      tails: new TailCache(1000),
      metrics: noMetrics,
      published: () => published.push(partition.highWatermark),
      failed: () => undefined,
    })
    const records = new RecordBatchBuilder()
    records.append(null, 'v', 1)
    const original = database.write.bind(database)
    const duringWrite: number[] = []
    vi.spyOn(database, 'write').mockImplementation((batch, options) => {
      duringWrite.push(partition.highWatermark, published.length)
      original(batch, options)
    })
    const staged = commit.stage((group) => {
      partition.append(group.batch, Buffer.from(records.finish()), group.now)
      group.touch(partition)
      return () => partition.highWatermark
    })
    expect(partition.highWatermark).toBe(0)
    expect(await staged).toBe(1)
    expect(duringWrite).toEqual([0, 0])
    expect(published).toEqual([1])
    await database.close()
  })

  it('leaves the outcome open when the write fails, and takes nothing more until it is opened again', async () => {
    const dir = await testDirectory()
    const { log, close } = await openTestLog(dir)
    await createTopic(log, 't')
    const appender = log.appender()
    await appender.append({ topic: 't', key: null, value: 'before' })
    const transactor = await log.transactor('tx')
    const later = await log.transactor('later')
    await transactor.prepare(request('t', alone('g'), 1, [['x']]))
    await later.prepare(request('t', alone('g'), 1, [['y']]))
    const reader = log.reader()
    reader.seek({ topic: 't', partition: 0 }, 1)
    const polling = reader.poll(60_000).catch((error: unknown) => error)
    failWrites()
    const lost = appender.append({ topic: 't', key: null, value: 'lost?' }).catch((error: unknown) => error)
    expect(await transactor.commit()).toMatchObject({ kind: 'unknown' })
    expect(await lost).toMatchObject({ code: 'LOG_APPEND_UNKNOWN' })
    vi.restoreAllMocks()

    expect(await polling).toMatchObject({ code: 'LOG_FAILED' })
    await expect(appender.append({ topic: 't', key: null, value: 'after' })).rejects.toMatchObject({
      code: 'LOG_FAILED',
    })
    expect(await later.commit()).toMatchObject({ kind: 'aborted', error: { code: 'LOG_FAILED' } })
    await expect(log.transactor('tx')).rejects.toMatchObject({ code: 'LOG_FAILED' })
    await close()

    const again = await openTestLog(dir)
    expect(valuesOf(await readAll(again.log, 't'))).toEqual(['before'])
    expect(await committed(again.log, 'g', 't')).toBeUndefined()
    expect(await again.log.appender().append({ topic: 't', key: null, value: 'after' })).toMatchObject({
      offset: 1,
    })
  })
})
