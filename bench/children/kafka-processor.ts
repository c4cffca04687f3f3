/** Millrace's processor on Kafka until it is told to stop, by whoever measures it from outside. */
import { messageOf, systemClock } from '#core'
import type { EngineRun } from '../peers/engine.ts'
import { oneThread } from './one-thread.ts'
import { supervisedThreads } from './supervised-threads.ts'

export interface KafkaProcessorInput extends EngineRun {
  /** Stream threads under a supervisor, as `millrace processor` has them; undefined: one, which is the main thread. */
  readonly threads?: number
}

export type KafkaProcessorOrder = 'tasks' | 'lose-thread' | 'stop'

/** What it says: that its tasks are restored, which they are, that it has stopped in order, or why it ended. */
export type KafkaProcessorEvent =
  /** Of one thread: from when it had its tasks until they ran. */
  | { readonly event: 'running'; readonly restoreSeconds: number | undefined }
  | { readonly event: 'tasks'; readonly partitions: readonly number[] }
  | { readonly event: 'stopped' }
  | { readonly event: 'failed'; readonly message: string }

/** However many threads there are. */
export interface ProcessorHost {
  /** True once all tasks are restored. */
  ready(): Promise<boolean>
  /** Once it is ready; undefined where it cannot be told. */
  restoreSeconds(): number | undefined
  /** Partitions of the input. */
  tasks(): readonly number[]
  loseThread(): void
  /** Rejects when it cannot go on. */
  readonly failed: Promise<never>
  stop(): Promise<void>
}

const readyPollMs = 1

async function run(input: KafkaProcessorInput): Promise<void> {
  const host = await (input.threads === undefined
    ? oneThread(input)
    : supervisedThreads(input, input.threads))
  const stopped = new Promise<void>((resolve) => {
    process.on('message', (order: KafkaProcessorOrder) => {
      if (order === 'stop') resolve()
      else if (order === 'lose-thread') host.loseThread()
      else void say({ event: 'tasks', partitions: host.tasks() })
    })
  })
  while (!(await host.ready())) await Promise.race([systemClock.sleep(readyPollMs), host.failed])
  await say({ event: 'running', restoreSeconds: host.restoreSeconds() })
  await Promise.race([stopped, host.failed])
  await host.stop()
}

function say(event: KafkaProcessorEvent): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(event, () => resolve())
  })
}

process.once('disconnect', () => process.exit(1))
process.once('message', (input) => {
  run(input as KafkaProcessorInput)
    .then(
      () => say({ event: 'stopped' }),
      (error: unknown) => say({ event: 'failed', message: messageOf(error) }),
    )
    .finally(() => process.exit())
})
