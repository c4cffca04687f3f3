/** A worker thread of the program, seen from the main thread. */
import { MessageChannel, Worker } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { MillraceError, connect, messageOf } from '#core'
import type { Remote } from '#core'
import type { ThreadControl, ThreadData } from './thread-control.ts'

export interface Thread {
  readonly name: string
  readonly control: Remote<ThreadControl>
  /** Rejects when the thread's work failed or the thread ended before it was told to. */
  readonly failure: Promise<never>
  /** Tells it to close what it has open, and waits until the thread is gone. It is never terminated. */
  stop(): Promise<void>
}

export function startThread(
  name: string,
  script: URL,
  data: Omit<ThreadData, 'control'> & Readonly<Record<string, unknown>>,
  ports: readonly MessagePort[],
): Thread {
  const channel = new MessageChannel()
  const worker = new Worker(script, {
    name,
    workerData: { ...data, control: channel.port2 },
    transferList: [channel.port2, ...ports],
  })
  const control = connect<ThreadControl>(channel.port1)
  let stopping: Promise<void> | undefined
  const ended = new Promise<void>((resolve) => {
    worker.once('exit', () => resolve())
  })
  const failure = new Promise<never>((_, reject) => {
    worker.once('error', (error) => reject(threadFailed(name, messageOf(error), error)))
    worker.once('exit', (code) => {
      if (stopping === undefined) reject(threadFailed(name, `it ended with code ${code}`))
    })
    control.failure().catch((error: unknown) => {
      if (stopping === undefined) reject(error)
    })
  })
  // Who waits for it may come later, or never when the start fails first.
  failure.catch(() => undefined)
  return {
    name,
    control,
    failure,
    stop: () =>
      (stopping ??= (async () => {
        await control.stop()
        channel.port1.close()
        await ended
      })()),
  }
}

function threadFailed(name: string, why: string, cause?: unknown): MillraceError {
  return new MillraceError(
    'CLI_THREAD_FAILED',
    `The ${name} thread stopped: ${why}. Nothing acknowledged is lost; start again.`,
    { domain: 'internal', reaction: 'stop', retrySafe: true, ...(cause === undefined ? {} : { cause }) },
  )
}
