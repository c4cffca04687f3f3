/** Millrace's processor on Kafka until it is told to stop, by whoever measures it from outside. */
import { messageOf, systemClock } from '#core'
import { startWorkload } from '../engine/stream.ts'
import { withLog } from '../engine/with-log.ts'
import { workloadOf } from '../engine/workload.ts'
import type { EngineRun } from '../peers/engine.ts'

/** What it says: that its tasks are restored, that it has stopped in order, or why it ended. */
export interface KafkaProcessorEvent {
  readonly event: 'running' | 'stopped' | 'failed'
  readonly message?: string
  /** Of `running`: since the stream thread was told to start, so joining the group is part of it. */
  readonly restoreSeconds?: number
}

const readyPollMs = 1

async function run({ brokers, claims, stateDirectory }: EngineRun, stopped: Promise<void>): Promise<void> {
  await withLog({ brokers }, async (log) => {
    const startedAt = performance.now()
    const streams = await startWorkload(log, workloadOf(claims), stateDirectory)
    const failed = streams.failed.then((error): never => {
      throw error
    })
    while (!streams.state().ready) await Promise.race([systemClock.sleep(readyPollMs), failed])
    await say({ event: 'running', restoreSeconds: (performance.now() - startedAt) / 1000 })
    await Promise.race([stopped, failed])
    await streams.stop()
  })
}

function say(event: KafkaProcessorEvent): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(event, () => resolve())
  })
}

process.once('disconnect', () => process.exit(1))
process.once('message', (input) => {
  const stopped = new Promise<void>((resolve) => {
    process.once('message', () => resolve())
  })
  run(input as EngineRun, stopped)
    .then(
      () => say({ event: 'stopped' }),
      (error: unknown) => say({ event: 'failed', message: messageOf(error) }),
    )
    .finally(() => process.exit())
})
