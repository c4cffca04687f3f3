import { Redis } from 'ioredis'
import { noMetrics, silentLogger, systemClock } from '#core'
import type { Log } from '#log'
import { openRedis, openSqlDatabase, startSink } from '#sink'
import type { RedisClient, SqlDatabase } from '#sink'
import { topics } from '../../test/system/coupon-history.ts'
import { withLog } from '../engine/with-log.ts'
import { measured } from '../runner/measured.ts'
import { sinkScript } from './scripts.ts'

/** As the program's default. */
const connections = 2
const weekMs = 7 * 86_400_000

measured(sinkScript, async ({ directory, databaseUrl, redisUrl, issued }) =>
  withLog({ directory }, async (log) => {
    const sql = openSqlDatabase(databaseUrl, { connections })
    try {
      // Making the database (PGlite's first open takes seconds) is no part of the rate.
      await sql.query('select 1')
      const seconds = await timeToLoad(log, sql)
      await checkTables(sql, issued)
      if (redisUrl === undefined) return { seconds }
      // Redis follows behind the tables, which are full now: what is timed is Redis alone.
      const redis = openRedis(redisUrl)
      try {
        const redisSeconds = await timeToLoad(log, sql, redis)
        await checkKeys(redisUrl, issued)
        return { seconds: redisSeconds }
      } finally {
        await redis.close()
      }
    } finally {
      await sql.close()
    }
  }),
)

async function timeToLoad(log: Log, sql: SqlDatabase, redis?: RedisClient): Promise<number> {
  const startedAt = performance.now()
  const sink = startSink({
    log,
    topics,
    sql,
    ...(redis === undefined ? {} : { redis }),
    clock: systemClock,
    logger: silentLogger,
    metrics: noMetrics,
    rejectedRetentionMs: weekMs,
    resultRetentionMs: weekMs,
  })
  try {
    await sink.ready
    return (performance.now() - startedAt) / 1000
  } finally {
    await sink.close()
  }
}

/** Every issued claim is a row. */
async function checkTables(sql: SqlDatabase, issued: number): Promise<void> {
  const { rows } = await sql.query('select count(*) as count from coupon_issue')
  const count = Number(rows[0]?.['count'])
  if (count !== issued) throw new Error(`the tables have ${count} rows, not ${issued}`)
}

/** Every issued claim is a key. */
async function checkKeys(url: string, issued: number): Promise<void> {
  const redis = new Redis(url)
  try {
    let count = 0
    for await (const keys of redis.scanStream({ match: 'claim:*', count: 10_000 })) {
      count += (keys as string[]).length
    }
    if (count !== issued) throw new Error(`Redis has ${count} claims, not ${issued}`)
  } finally {
    redis.disconnect()
  }
}
