import { afterEach, describe, expect, it, vi } from 'vitest'
import { RocksDatabase, systemClock } from '#core'
import { RecordBatchBuilder } from '../index.ts'
import type { Appended, Appender } from '../index.ts'
import { readAll, valuesOf } from '../conformance/harness.ts'
import { alone, committed, request } from '../conformance/transactions.ts'
import { createTopic, openTestLog, testDirectory } from './test-broker.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

function failWrites(): void {
  vi.spyOn(RocksDatabase.prototype, 'write').mockImplementation(() => {
    throw new Error('No space left on device')
  })
}

/** Each group's sync waits until `release`, or fails for good. */
function holdSyncs(): { readonly held: Promise<void>; release(): void; fail(): void } {
  const held = Promise.withResolvers<void>()
  const end = Promise.withResolvers<void>()
  const original = RocksDatabase.prototype.sync
  vi.spyOn(RocksDatabase.prototype, 'sync').mockImplementation(async function (this: RocksDatabase) {
    held.resolve()
    await end.promise
    await original.call(this)
  })
  return {
    held: held.promise,
    release: end.resolve,
    fail: () => end.reject(new Error('EIO: i/o error, fdatasync')),
  }
}

/** What has become of a promise so far. */
async function stateOf(promise: Promise<unknown>): Promise<unknown> {
  for (let turn = 0; turn < 5; turn++) await systemClock.yield()
  return Promise.race([promise, Promise.resolve('pending')])
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
    const sync = vi.spyOn(RocksDatabase.prototype, 'sync')
    await Promise.all(appenders.flatMap((appender) => [0, 1, 0, 1].map((at) => append(appender, at))))
    expect(sync).toHaveBeenCalledTimes(1)
    await transactor.commit()
    expect(sync).toHaveBeenCalledTimes(2)
  })

  it('makes everything that came during an fsync durable with the next one', async () => {
    const { log } = await openTestLog(await testDirectory())
    await createTopic(log, 't', {}, 2)
    const appenders = [log.appender(), log.appender()]
    const transactor = await log.transactor('tx')
    await transactor.prepare(request('t', alone('g'), 1, [['x']]))
    const { held, release } = holdSyncs()
    const first = transactor.commit()
    await held
    const during = appenders.map((appender, at) => append(appender, at))
    expect(await stateOf(Promise.race([first, ...during]))).toBe('pending')
    expect(RocksDatabase.prototype.sync).toHaveBeenCalledTimes(1)
    release()
    await Promise.all(during)
    expect(RocksDatabase.prototype.sync).toHaveBeenCalledTimes(2)
    expect(await first).toMatchObject({ kind: 'committed', endOffsets: [1] })
  })

  // Whether readers are served from memory or from the database, which holds the bytes already.
  it.each([0, 1 << 20])('shows nothing before its fsync (tail cache of %d bytes)', async (tailCacheBytes) => {
    const { log } = await openTestLog(await testDirectory(), { tailCacheBytes, stableWaitMs: 60_000 })
    const place = { topic: 't', partition: 0 }
    await createTopic(log, 't')
    await createTopic(log, 'deleted')
    const appender = log.appender()
    for (const value of ['a', 'b']) await appender.append({ ...place, key: null, value })
    const transactor = await log.transactor('tx')
    await transactor.prepare(request('t', alone('g'), 1, [['x']]))
    const reader = log.reader()
    reader.seek(place, 0)
    await reader.poll(0)

    const { held, release } = holdSyncs()
    const writes = [
      appender.append({ ...place, key: null, value: 'c' }),
      transactor.commit(),
      createTopic(log, 'created'),
      log.admin.deleteRecords([{ ...place, offset: 1 }]),
    ]
    await held
    expect(await stateOf(Promise.race(writes))).toBe('pending')
    expect(await reader.poll(0)).toEqual([])
    expect(await log.admin.offsets([place])).toMatchObject([{ start: 0, highWatermark: 2 }])
    expect(valuesOf(await readAll(log, 't'))).toEqual(['a', 'b'])
    expect(await committed(log, 'g', 't', false)).toBeUndefined()
    const stable = committed(log, 'g', 't')
    expect(await stateOf(stable)).toBe('pending')
    expect((await log.admin.describeTopics(['created'])).size).toBe(0)

    release()
    await Promise.all(writes)
    expect(await stable).toBe(1)
    expect(await log.admin.offsets([place])).toMatchObject([{ start: 1, highWatermark: 4 }])
    const [fetched] = await reader.poll(1000)
    expect(fetched).toMatchObject({ highWatermark: 4 })
    expect((await log.admin.describeTopics(['created'])).size).toBe(1)
  })

  it('shows no deletion before its fsync, and takes nothing for what is being deleted', async () => {
    const { log } = await openTestLog(await testDirectory())
    await createTopic(log, 't')
    const appender = log.appender()
    await append(appender, 0)
    const transactor = await log.transactor('tx')
    await transactor.prepare(request('t', alone('g'), 1))
    await transactor.commit()
    const { held, release } = holdSyncs()
    const deleted = log.admin.deleteTopics(['t'])
    await held
    expect((await log.admin.describeTopics(['t'])).size).toBe(1)
    expect(await committed(log, 'g', 't')).toBe(1)
    expect(valuesOf(await readAll(log, 't'))).toEqual(['v'])
    const late = append(appender, 0).catch((error: unknown) => error)
    release()
    await deleted
    expect(await late).toMatchObject({ code: 'LOG_UNKNOWN_TOPIC' })
    await createTopic(log, 't')
    expect(await committed(log, 'g', 't')).toBeUndefined()
  })

  it('refuses what comes in the same group as the deletion of its topic', async () => {
    const { broker, log } = await openTestLog(await testDirectory())
    await createTopic(log, 't')
    const topicId = (await log.admin.describeTopics(['t'])).get('t')?.topicId as string
    const records = new RecordBatchBuilder()
    records.append(null, 'v', 1)
    const data = Buffer.from(records.finish())
    const sync = vi.spyOn(RocksDatabase.prototype, 'sync')
    const session = broker.session()
    const deleted = session.deleteTopics(['t'])
    await Promise.resolve()
    await Promise.resolve()
    const reply = await session.append({ targets: [{ topicId, partition: 0 }], data })
    expect(reply.refused).toMatchObject([{ code: 'LOG_UNKNOWN_TOPIC' }])
    expect(sync).toHaveBeenCalledTimes(1)
    await deleted
  })

  it('answers who takes an id over after the commit in flight is decided', async () => {
    const { broker, log } = await openTestLog(await testDirectory())
    await createTopic(log, 't')
    const transactor = await log.transactor('tx')
    await transactor.prepare(request('t', alone('g'), 1, [['x']]))
    const { held, release } = holdSyncs()
    const outcome = transactor.commit()
    await held
    const successor = log.transactor('tx')
    const another = log.transactor('another')
    expect(await stateOf(another)).not.toBe('pending')
    expect(await stateOf(successor)).toBe('pending')
    release()
    await successor
    expect(await committed(log, 'g', 't', false)).toBe(1)
    expect(valuesOf(await readAll(log, 't'))).toEqual(['x'])
    expect(await outcome).toMatchObject({ kind: 'committed' })
    expect(await transactor.prepare(request('t', alone('g'), 2))).toMatchObject({ kind: 'fenced' })
    await broker.close()
  })

  it('answers so, too, when the one who commits is gone', async () => {
    const { broker, log } = await openTestLog(await testDirectory())
    await createTopic(log, 't')
    const session = broker.session()
    const epoch = await session.beginTransactor('tx', 1000)
    const offsets = [{ topic: 't', partition: 0, offset: 1, metadata: '' }]
    await session.prepare({
      transactionalId: 'tx',
      epoch,
      group: alone('g'),
      offsets,
      targets: [],
      data: Buffer.alloc(0),
    })
    const { held, release } = holdSyncs()
    const outcome = session.commit('tx', epoch)
    await held
    await session.close()
    const successor = log.transactor('tx')
    expect(await stateOf(successor)).toBe('pending')
    release()
    await successor
    expect(await committed(log, 'g', 't', false)).toBe(1)
    await outcome
  })

  it('closes after the group in flight', async () => {
    const dir = await testDirectory()
    const { broker, log } = await openTestLog(dir)
    await createTopic(log, 't')
    const { held, release } = holdSyncs()
    const appended = append(log.appender(), 0)
    await held
    const closed = broker.close()
    expect(await stateOf(closed)).toBe('pending')
    release()
    await closed
    expect(await appended).toMatchObject({ offset: 0 })
    const again = await openTestLog(dir)
    expect(valuesOf(await readAll(again.log, 't'))).toEqual(['v'])
  })

  it('leaves the outcome open when the fsync fails, to all that wait for it', async () => {
    const { log } = await openTestLog(await testDirectory(), { stableWaitMs: 60_000 })
    await createTopic(log, 't')
    const appender = log.appender()
    await append(appender, 0)
    const transactor = await log.transactor('tx')
    await transactor.prepare(request('t', alone('g'), 1, [['x']]))
    const reader = log.reader()
    reader.seek({ topic: 't', partition: 0 }, 1)
    const { held, fail } = holdSyncs()
    const lost = transactor.commit()
    await held
    const refused = [
      reader.poll(60_000),
      log.transactor('tx'),
      committed(log, 'g', 't'),
      append(appender, 0),
    ].map((waiting) => waiting.catch((error: unknown) => error))
    expect(await stateOf(Promise.race(refused))).toBe('pending')
    fail()
    expect(await lost).toMatchObject({ kind: 'unknown', error: { code: 'LOG_APPEND_UNKNOWN' } })
    expect(await Promise.all(refused)).toMatchObject(refused.map(() => ({ code: 'LOG_FAILED' })))
    // For good: an fsync that succeeds now would not prove that the earlier bytes are there.
    vi.restoreAllMocks()
    await expect(append(appender, 0)).rejects.toMatchObject({ code: 'LOG_FAILED' })
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
