/** The sink on real stores: exactly once, whatever happens to it, to the stores and to the log. */
import { mkdtempSync, readdirSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { noMetrics, silentLogger, systemClock } from '#core'
import type { Clock, Logger } from '#core'
import { createCouponReads, openRedis, openSqlDatabase, startSink } from '#sink'
import type { RedisClient, Sink, SinkOptions, SqlDatabase } from '#sink'
import { snapshot } from '../../domain/coupon/test-coupons.ts'
import { identify } from '../../sink/log-identity.ts'
import { SqlStore } from '../../sink/sql/sql-store.ts'
import { ResultLog } from '../../sink/testing/result-log.ts'
import { opened } from '../../sink/testing/results.ts'
import { postgres, redis as testRedis, startTcpProxy } from '../servers/index.ts'
import { CouponHistory, claimIdOf, topics } from './sink/coupon-history.ts'
import { expectKeys, expectTables } from './sink/stored.ts'

const partitions = 3
const day = 86_400_000

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})
const closing = <T extends { close(): Promise<void> }>(closable: T): T => {
  closers.push(() => closable.close())
  return closable
}

let log: ResultLog
let history: CouponHistory
beforeEach(() => {
  log = new ResultLog(topics.result, partitions)
  history = new CouponHistory(log, { partitions, seed: 1, startTime: Date.now() - 3_600_000 })
})

const sinkSettings = {
  clock: systemClock,
  logger: silentLogger,
  metrics: noMetrics,
  rejectedRetentionMs: 7 * day,
  resultRetentionMs: 7 * day,
  batchResultsMax: 100,
}

function sinkOf(sql: SqlDatabase, more: Partial<SinkOptions> = {}): Sink {
  return closing(startSink({ ...sinkSettings, log, topics, sql, ...more }))
}

/** Until the stores have everything; fails at once when the sink does. */
async function caughtUp(sink: Sink): Promise<void> {
  const failure = sink.failed.then((error): never => {
    throw error
  })
  const there = async (): Promise<void> => {
    await sink.ready
    for (;;) {
      const behind = sink
        .positions()
        .some(({ partition, sql, redis = sql }) => Math.min(sql, redis) < log.end(partition))
      if (!behind) return
      await systemClock.sleep(5)
    }
  }
  await Promise.race([there(), failure])
}

async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await systemClock.sleep(5)
}

async function freshDatabaseUrl(): Promise<string> {
  const database = await postgres()
  closers.push(() => database.drop())
  return database.url
}

async function freshPostgres(): Promise<SqlDatabase> {
  return closing(openSqlDatabase(await freshDatabaseUrl(), { connections: 4 }))
}

async function freshPglite(): Promise<SqlDatabase> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-pglite-'))
  closers.push(async () => rmSync(directory, { recursive: true, force: true }))
  return closing(openSqlDatabase(`pglite:${join(directory, 'db')}`, { connections: 1 }))
}

async function freshRedis(): Promise<{ client: RedisClient; raw: Redis; url: string }> {
  const { url } = await testRedis()
  const raw = new Redis(url)
  closers.push(async () => raw.disconnect())
  return { client: closing(openRedis(url)), raw, url }
}

describe.each([
  ['PostgreSQL', freshPostgres],
  ['PGlite', freshPglite],
])('%s', (_, fresh) => {
  it('holds exactly what the results say, cancelled claims included', async () => {
    const sql = await fresh()
    history.begin()
    history.go(2000)
    const sink = sinkOf(sql)
    await caughtUp(sink)
    await expectTables(sql, log, history.results)
    expect(sink.state()).toEqual({ sql: 'following' })
    history.go(300)
    await caughtUp(sink)
    await expectTables(sql, log, history.results)
  })

  it('stays exact with two sinks at once, stopped and started anywhere', async () => {
    const sql = await fresh()
    history.begin()
    const small = { batchResultsMax: 20 }
    const other = sinkOf(sql, small)
    for (let round = 0; round < 6; round++) {
      const sink = sinkOf(sql, small)
      history.go(200)
      if (round % 2 === 0) await sink.ready
      await sink.close()
    }
    await caughtUp(other)
    await expectTables(sql, log, history.results)
  })

  it('stops for another log, and when the log lost what it needs', async () => {
    const sql = await fresh()
    history.begin()
    const first = sinkOf(sql)
    await caughtUp(first)
    await first.close()

    log.topicId = 'another'
    const changed = sinkOf(sql)
    await expect(changed.ready).rejects.toMatchObject({ code: 'SINK_LOG_CHANGED' })
    expect((await changed.failed).message).toContain('empty database in DATABASE_URL')
    await changed.close()

    log.topicId = 'topic'
    history.go(500)
    for (let partition = 0; partition < partitions; partition++)
      log.deleteBefore(partition, log.end(partition) - 1)
    await expect(sinkOf(sql).failed).resolves.toMatchObject({ code: 'SINK_HISTORY_GONE' })
  })

  it('answers who holds what, page by page', async () => {
    const sql = await fresh()
    const reads = createCouponReads(sql)
    history.open('a', { stock: 5, name: 'A', perUserLimit: 3 })
    history.open('b', { stock: 5 })
    const issue = (couponId: string, userId: string) => history.ask({ command: 'issue', couponId, userId })
    const [first, second, third] = [issue('a', 'u'), issue('a', 'v'), issue('a', 'u')] as const
    issue('b', 'u')
    issue('a', 'w')
    history.ask({ command: 'cancel', couponId: 'a', userId: 'v', claimId: claimIdOf(second) })
    await caughtUp(sinkOf(sql))

    const page = await reads.winners('a', { limit: 2 })
    expect(page).toEqual({
      items: [first, third].map((result) => ({
        claimId: claimIdOf(result),
        userId: 'u',
        sequence: result.sequence,
        issuedAt: result.decidedAt,
      })),
      next: 3,
    })
    const rest = await reads.winners('a', { after: page.next ?? 0, limit: 2 })
    expect(rest).toEqual({ items: [expect.objectContaining({ userId: 'w', sequence: 4 })] })

    const held = await reads.userCoupons('u', { limit: 2 })
    expect(held.items).toEqual([
      { couponId: 'a', name: 'A', sequence: 1, issuedAt: first.decidedAt },
      { couponId: 'a', name: 'A', sequence: 3, issuedAt: third.decidedAt },
    ])
    const more = await reads.userCoupons('u', { cursor: held.nextCursor ?? '', limit: 2 })
    expect(more).toEqual({ items: [expect.objectContaining({ couponId: 'b', name: null })] })
    expect(await reads.userCoupons('v', { limit: 10 })).toEqual({ items: [] })
    await expect(reads.userCoupons('u', { cursor: '!', limit: 1 })).rejects.toMatchObject({
      code: 'SINK_INVALID_CURSOR',
    })
  })

  it('forgets rejections after their retention', async () => {
    const sql = await fresh()
    let ahead = 0
    const clock: Clock = { ...systemClock, now: () => Date.now() + ahead }
    history.ask({ command: 'issue', couponId: 'nobody', userId: 'u' })
    const sink = sinkOf(sql, { clock })
    await caughtUp(sink)
    const count = async (): Promise<unknown> =>
      (await sql.query('select count(*)::integer as count from claim_rejected')).rows[0]?.['count']
    expect(await count()).toBe(1)
    ahead = 8 * day
    history.begin()
    await eventually(async () => (await count()) === 0)
  })
})

it('applies a batch only where the tables stand', async () => {
  const sql = await freshPostgres()
  history.begin()
  await caughtUp(sinkOf(sql))
  const stop = new AbortController().signal
  const identity = await identify(log, topics.result)
  const store = new SqlStore({ ...sinkSettings, database: sql, topicVersion: 1, rowsPerSecond: 1000 })
  const [stands = 0] = await store.positions(identity, stop)
  const late = { partition: 0, from: stands - 1, to: stands + 5 }
  const results = [opened(0, snapshot({ couponId: 'late' }))]
  expect(await store.apply({ steps: [late], results }, identity, stop)).toBe(false)
  expect(await store.positions(identity, stop)).toEqual([stands, log.end(1), log.end(2)])
  expect((await sql.query("select 1 from coupon where coupon_id = 'late'")).rows).toEqual([])
})

it('makes its tables again and fills them when somebody has emptied the database under it', async () => {
  const sql = await freshPostgres()
  history.begin()
  history.go(300)
  const sink = sinkOf(sql)
  await caughtUp(sink)
  await sql.query('drop schema public cascade')
  await sql.query('create schema public')
  history.go(200)
  await eventually(() => sink.state().sql === 'refused')
  await eventually(() => {
    const reached = sink.positions().every(({ partition, sql: at }) => at >= log.end(partition))
    return sink.state().sql === 'following' && reached
  })
  await expectTables(sql, log, history.results)
})

it('takes nothing back when it starts over on tables that are full', async () => {
  const sql = await freshPostgres()
  history.begin()
  history.go(500)
  const first = sinkOf(sql)
  await caughtUp(first)
  await first.close()
  await sql.query('delete from sink_offset')
  let transactions = 0
  const watched: SqlDatabase = {
    kind: sql.kind,
    query: (...call) => sql.query(...call),
    async transaction(work, signal) {
      const value = await sql.transaction(work, signal)
      transactions++
      await expectTables(sql, log, history.results)
      return value
    },
    close: () => sql.close(),
  }
  await caughtUp(sinkOf(watched, { batchResultsMax: 50 }))
  expect(transactions).toBeGreaterThan(5)
})

it('goes no further where a row breaks a rule of the tables, and changes nothing', async () => {
  const sql = await freshPostgres()
  history.open('c')
  const issued = history.ask({ command: 'issue', couponId: 'c', userId: 'u' })
  log.append(issued.partition, [{ ...issued, offset: issued.offset + 1000, userId: 'v' }])
  const sink = sinkOf(sql, { batchResultsMax: 2 })
  await expect(sink.failed).resolves.toMatchObject({ code: 'SINK_STORE_REFUSED' })
  expect(sink.state()).toEqual({ sql: 'refused' })
  await expectTables(sql, log, history.results)
})

it('stops at a record that is no result', async () => {
  const sql = await freshPostgres()
  log.appendRaw(0, [Buffer.from('nonsense')])
  await expect(sinkOf(sql).failed).resolves.toMatchObject({ code: 'SINK_RECORD_UNREADABLE' })
})

describe('Redis', () => {
  it('holds exactly what the results say', async () => {
    const { client, raw } = await freshRedis()
    history.begin()
    history.go(1500)
    const sink = sinkOf(await freshPostgres(), { redis: client })
    await caughtUp(sink)
    expect(sink.state()).toEqual({ sql: 'following', redis: 'following' })
    await expectKeys(raw, log, history.results)
    history.go(300)
    await caughtUp(sink)
    await expectKeys(raw, log, history.results)
  })

  it('never runs ahead of the tables', async () => {
    const { client, raw } = await freshRedis()
    const url = await freshDatabaseUrl()
    const wire = closing(await startTcpProxy(url))
    wire.cut()
    history.begin()
    history.go(500)
    const sink = sinkOf(closing(openSqlDatabase(wire.url, { connections: 2 })), { redis: client })
    await eventually(() => sink.state().sql === 'waiting' && sink.state().redis === 'catching-up')
    expect((await raw.keys('*')).filter((key) => !key.startsWith('sink:'))).toEqual([])
    wire.restore()
    await caughtUp(sink)
    await expectKeys(raw, log, history.results)
  })

  it('is rebuilt when it was flushed, or lost a view', async () => {
    const { client, raw } = await freshRedis()
    history.begin()
    history.go(500)
    const sink = sinkOf(await freshPostgres(), { redis: client })
    await caughtUp(sink)
    await raw.flushdb()
    history.go(200)
    await eventually(async () => (await raw.keys('coupon:view:*')).length > 0)
    await caughtUp(sink)
    await expectKeys(raw, log, history.results)

    await raw.del(...(await raw.keys('coupon:view:*')))
    history.go(200)
    await eventually(async () => (await raw.keys('coupon:view:*')).length === 8)
    await caughtUp(sink)
    await expectKeys(raw, log, history.results)
  })

  it('takes nothing back while it is rebuilt over what is left', async () => {
    const { client, raw } = await freshRedis()
    const sql = await freshPostgres()
    history.open('c', { stock: 1 })
    const issued = history.ask({ command: 'issue', couponId: 'c', userId: 'u' })
    history.ask({ command: 'cancel', couponId: 'c', userId: 'u', claimId: claimIdOf(issued) })
    const first = sinkOf(sql, { redis: client })
    await caughtUp(first)
    await first.close()
    const before = await raw.hgetall('user:u:coupons')
    await raw.del(...(await raw.keys('sink:offset:*')))

    // One result at a time, watched after each: an older one must not show through.
    const seen = new Set<string>()
    const watched: RedisClient = {
      keyPrefix: client.keyPrefix,
      async run(...call) {
        const answer = await client.run(...call)
        seen.add(`${await raw.get('coupon:available:c')} ${await raw.hget('coupon:view:c', 'version')}`)
        seen.add((await raw.get(`claim:${claimIdOf(issued)}`))?.match(/"status":"\w+"/)?.[0] ?? '')
        expect(await raw.hgetall('user:u:coupons')).toEqual(before)
        return answer
      },
      close: () => client.close(),
    }
    const second = sinkOf(sql, { redis: watched, batchResultsMax: 1 })
    await caughtUp(second)
    expect([...seen]).toEqual(['true 3', '"status":"cancelled"'])
  })

  it('stays exact with two sinks at once', async () => {
    const { client, raw } = await freshRedis()
    const sql = await freshPostgres()
    history.begin()
    const options = { redis: client, batchResultsMax: 25 }
    const sinks = [sinkOf(sql, options), sinkOf(sql, options)] as const
    for (let round = 0; round < 10; round++) {
      history.go(100)
      await systemClock.sleep(10)
    }
    const everyPartition = Array.from({ length: partitions }, (_, partition) => partition)
    await eventually(() =>
      everyPartition.every((partition) =>
        sinks.some((sink) => (sink.positions()[partition]?.redis ?? 0) >= log.end(partition)),
      ),
    )
    await expectKeys(raw, log, history.results)
    await expectTables(sql, log, history.results)
  })

  it('lets claims go after their retention', async () => {
    const { client, raw } = await freshRedis()
    history.open('c')
    const old = history.ask({ command: 'issue', couponId: 'c', userId: 'u' })
    const sink = sinkOf(await freshPostgres(), { redis: client, resultRetentionMs: 7_200_000 })
    await caughtUp(sink)
    const ttl = await raw.pttl(`claim:${claimIdOf(old)}`)
    expect(ttl).toBeGreaterThan(0)
    expect(ttl).toBeLessThanOrEqual(3_600_000)
    await sink.close()
    const late = await freshRedis()
    await caughtUp(sinkOf(await freshPostgres(), { redis: late.client, resultRetentionMs: 1000 }))
    expect(await late.raw.keys('claim:*')).toEqual([])
  })

  it('of another log does not hold up the tables, and is filled once it is emptied', async () => {
    const { client, raw } = await freshRedis()
    history.begin()
    const first = sinkOf(await freshPostgres(), { redis: client })
    await caughtUp(first)
    await first.close()
    log.clusterId = 'another'
    const sql = await freshPostgres()
    const changed = sinkOf(sql, { redis: client })
    await eventually(() => changed.state().redis === 'refused')
    history.go(200)
    await eventually(() => {
      const reached = changed.positions().every(({ partition, sql: at }) => at >= log.end(partition))
      return changed.state().sql === 'following' && reached
    })
    await expectTables(sql, log, history.results)
    expect(changed.state()).toEqual({ sql: 'following', redis: 'refused' })
    await raw.flushdb()
    await caughtUp(changed)
    await expectKeys(raw, log, history.results)
    expect(changed.state()).toEqual({ sql: 'following', redis: 'following' })
  })
})

describe('a store or the log that is away', () => {
  it.each(['cut', 'hang'] as const)('loses nothing: %s and back', async (trouble) => {
    const url = await freshDatabaseUrl()
    const store = await freshRedis()
    const sqlWire = closing(await startTcpProxy(url))
    const redisWire = closing(await startTcpProxy(store.url))
    const sql = closing(
      openSqlDatabase(sqlWire.url, { connections: 2, queryTimeoutMs: 2000, connectTimeoutMs: 2000 }),
    )
    const redis = closing(openRedis(redisWire.url, { commandTimeoutMs: 2000, connectTimeoutMs: 2000 }))
    history.begin()
    const said: string[] = []
    const logger: Logger = {
      ...silentLogger,
      warn: (fields, message) => said.push(`${message} ${(fields as { code?: string }).code}`),
      info: (_, message) => said.push(message),
      child: () => logger,
    }
    const sink = sinkOf(sql, { redis, logger })
    await caughtUp(sink)
    said.length = 0

    sqlWire[trouble]()
    history.go(300)
    await eventually(() => sink.state().sql === 'waiting')
    await expect(createCouponReads(sql).winners('coupon-1', { limit: 1 })).rejects.toMatchObject({
      code: 'SINK_STORE_UNAVAILABLE',
    })
    sqlWire.restore()
    await caughtUp(sink)

    redisWire[trouble]()
    history.go(300)
    await eventually(() => sink.state().redis === 'waiting')
    redisWire.restore()
    await caughtUp(sink)

    log.away = true
    await eventually(() => sink.state().sql === 'waiting' && sink.state().redis === 'waiting')
    history.go(100)
    log.away = false
    await caughtUp(sink)

    await expectTables(sql, log, history.results)
    await expectKeys(store.raw, log, history.results)
    const store503 = 'sink.waiting SINK_STORE_UNAVAILABLE'
    const log503 = 'sink.waiting LOG_UNAVAILABLE'
    expect(said.slice(0, 4)).toEqual([store503, 'sink.resumed', store503, 'sink.resumed'])
    expect(said.slice(4).toSorted()).toEqual(['sink.resumed', 'sink.resumed', log503, log503])
  })

  it('does not hold up closing', async () => {
    const url = await freshDatabaseUrl()
    const wire = closing(await startTcpProxy(url))
    const sql = openSqlDatabase(wire.url, { connections: 2 })
    history.begin()
    const sink = sinkOf(sql)
    await caughtUp(sink)
    wire.hang()
    history.go(100)
    await systemClock.sleep(50)
    // Each would take half a minute if it waited for the database.
    await sink.close()
    await sql.close()
    expect(sink.state()).toEqual({ sql: 'stopped' })
  })
})

describe('the files of PGlite', () => {
  it('are built again from the log when they cannot be opened, with a line that says so', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-pglite-'))
    closers.push(async () => rmSync(directory, { recursive: true, force: true }))
    const said: string[] = []
    const logger: Logger = { ...silentLogger, warn: (_, message) => said.push(message) }
    const open = (): SqlDatabase => openSqlDatabase(`pglite:${directory}`, { connections: 1, logger })
    history.begin()
    history.go(200)
    const first = open()
    const sink = sinkOf(first)
    await caughtUp(sink)
    await sink.close()
    await first.close()
    expect(said).toEqual([])

    const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    const control = files.find(({ name }) => name === 'pg_control')
    truncateSync(join(control?.parentPath ?? '', 'pg_control'), 3)
    const second = closing(open())
    await caughtUp(sinkOf(second))
    await expectTables(second, log, history.results)
    expect(said).toEqual([expect.stringContaining('built again from the log')])
  })
})
