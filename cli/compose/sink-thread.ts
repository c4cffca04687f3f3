/** The sink's worker: results off the log into SQL and Redis, and the gateway's reads of the SQL database. */
import { serve } from '#core'
import { createCouponReads, openRedis, startSink } from '#sink'
import type { Sink } from '#sink'
import { openLog } from './log-access.ts'
import { openSql } from './open-sql.ts'
import { readsWhile } from './reads-while.ts'
import type { SinkThreadData } from './thread-control.ts'
import { hostThread } from './thread-host.ts'
import { yieldToOthers } from './thread-priority.ts'
import { topicNames } from './topics.ts'

hostThread<SinkThreadData>('sink', (context) => {
  const { data, settings, clock, logger, metrics, opened, fail } = context
  const { redisUrl, sinkRowsPerSecond: rowsPerSecond } = settings
  let sink: Sink | undefined
  const isBesideGateway = data.reads !== undefined
  // Where cores are short, loading the database waits until a spike is over. In a process of its own the sink would
  // only come after everything else on the machine, and hardly be ready when that is busy.
  if (isBesideGateway) yieldToOthers(19)
  return {
    async open() {
      opened.push('ports', async () => {
        data.reads?.close()
        if (data.log.kind === 'embedded') data.log.port.close()
      })
      const sql = openSql(settings, logger)
      opened.push('SQL', () => sql.close())
      if (data.reads !== undefined)
        serve(
          data.reads,
          readsWhile(() => sink?.state().sql !== 'refused', createCouponReads(sql)),
        )
      const redis = redisUrl === undefined ? undefined : openRedis(redisUrl)
      if (redis !== undefined) opened.push('Redis', () => redis.close())
      const log = await openLog(data.log, settings, context)
      opened.push('log client', () => log.close())
      const started = startSink({
        log,
        topics: topicNames(settings),
        sql,
        clock,
        logger,
        metrics,
        rejectedRetentionMs: settings.rejectedRetentionMs,
        resultRetentionMs: settings.resultRetentionMs,
        ...(redis === undefined ? {} : { redis }),
        ...(rowsPerSecond === undefined ? {} : { rowsPerSecond }),
      })
      sink = started
      opened.push('sink', () => started.close())
      // Beside a gateway it goes on: claims are decided without it, and it recovers by itself.
      if (!isBesideGateway) void started.failed.then(fail)
    },
    works: () => Promise.resolve(),
    checks() {
      const { sql, redis } = sink?.state() ?? { sql: 'starting', redis: undefined }
      return {
        sql: sql === 'following',
        ...(redisUrl === undefined ? {} : { redis: redis === 'following' }),
      }
    },
  }
})
