/** Stream threads as `millrace processor` has them: workers that a supervisor replaces. */
import { MessageChannel } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { noMetrics, silentLogger, systemClock } from '#core'
import { SharedPositions, claimStateDirectory, instanceIdOf } from '#processor'
import { rocksStorage } from '#state'
import { Supervisor } from '../../cli/compose/supervisor.ts'
import { startThread } from '../../cli/compose/thread.ts'
import type { Thread } from '../../cli/compose/thread.ts'
import type { EnginePlace, ThreadData } from '../../cli/compose/thread-control.ts'
import { readSettings } from '../../cli/settings.ts'
import { openLog } from '../engine/with-log.ts'
import { workloadOf } from '../engine/workload.ts'
import type { EngineRun } from '../peers/engine.ts'
import type { ProcessorHost } from './kafka-processor.ts'

export interface StreamThreadData extends ThreadData {
  readonly run: EngineRun
  readonly place: EnginePlace
  /** A message ends the thread. */
  readonly death: MessagePort
}

export async function supervisedThreads(run: EngineRun, count: number): Promise<ProcessorHost> {
  const { appId } = workloadOf(run.workload)
  const { log, close } = await openLog(run)
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => undefined)
  const identity = await claimStateDirectory(rocksStorage(), run.stateDirectory, appId)
  const { processId } = identity
  const shared = new SharedPositions(identity.positions, failed.reject)
  const deaths: MessagePort[] = []
  const launch = (number: number): Thread => {
    const positions = shared.another()
    const { port1: own, port2: death } = new MessageChannel()
    deaths[number] = own
    const data = {
      settings: readSettings({ LOG_LEVEL: 'error' }),
      readableLogs: false,
      run,
      place: { number, processId, positions },
      death,
    }
    const script = new URL('./stream-thread.ts', import.meta.url)
    return startThread({ name: `engine-${number}`, script, data, ports: [positions.port, death] })
  }
  const supervisor = new Supervisor({
    count,
    launch,
    bury: (number, signal) =>
      log.admin.removeMember(appId, instanceIdOf(appId, { processId, number }), signal),
    clock: systemClock,
    logger: silentLogger,
    metrics: noMetrics,
  })
  supervisor.failure.catch(failed.reject)
  await supervisor.open()
  void supervisor.start()
  return {
    failed: failed.promise,
    ready: async () => Object.values(await supervisor.checks()).every(Boolean),
    tasks() {
      throw new Error('only the threads know their tasks')
    },
    restoreSeconds: () => undefined,
    loseThread: () => deaths[0]?.postMessage('die'),
    async stop() {
      await supervisor.stop()
      for (const death of deaths) death.close()
      shared.close()
      await identity.release()
      await close()
    },
  }
}
