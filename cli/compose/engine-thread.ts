/**
 * The engine's worker: the stream processor, and the embedded log if that is the one, since its writes block their
 * thread. Opens log, then processor; closes in the opposite order.
 */
import { threadName } from 'node:worker_threads'
import { isMillraceError } from '#core'
import { couponTopology } from '#domain/coupon'
import { connectPositions, startStreams } from '#processor'
import type { Streams } from '#processor'
import { openEngineLog } from './engine-log.ts'
import { startFailed } from './start-failed.ts'
import type { EngineThreadData } from './thread-control.ts'
import { hostThread } from './thread-host.ts'
import { topicNames } from './topics.ts'
import { untilReachable } from './until-reachable.ts'

hostThread<EngineThreadData>(threadName ?? 'engine', (context) => {
  const { data, settings, clock, logger, metrics, opened, signal, fail } = context
  const { appId, stateDirectory: stateDir, idempotencyRetentionMs } = settings
  const topology = couponTopology({ topics: topicNames(settings), idempotencyRetentionMs })
  const place = data.place && { ...data.place, positions: connectPositions(data.place.positions) }
  let streams: Streams | undefined

  /** Directories of tasks are opened while others work already; a failed write may be the log's as well. */
  const atWork = (error: Error): unknown =>
    isMillraceError(error, 'ROCKSDB_FAILED') ? error : startFailed(error, 'STATE_DIR', settings)

  return {
    async open() {
      const log = await openEngineLog(context)
      const start = (): Promise<Streams> =>
        startStreams({
          topology,
          log,
          appId,
          stateDir,
          clock,
          logger,
          metrics,
          ...(place === undefined ? {} : { place }),
          // Where this process listens says nothing to others: 0.0.0.0 and loopback are the same on every machine.
          advertisedUrl: settings.advertisedUrl ?? '',
          standbys: settings.standbys,
          exclusiveOutputs: true,
          replicationFactor: settings.replicationFactor,
          deadLetterRetentionMs: settings.deadLetterRetentionMs,
        })
      const started = await untilReachable(start, context).catch((error: unknown) => {
        throw startFailed(error, 'STATE_DIR', settings)
      })
      streams = started
      opened.push('processor', () => started.stop())
      void started.failed.then((error) => fail(atWork(error)))
    },
    async works() {
      while (streams?.state().ready !== true && !signal.aborted) await clock.sleep(5)
    },
    checks() {
      const state = streams?.state()
      return { log: state !== undefined, tasks: state?.thread === 'running' && state.ready }
    },
  }
})
