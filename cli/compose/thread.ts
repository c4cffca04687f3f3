/** A worker thread of the program, seen from the main thread. */
import { MessageChannel, Worker } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { MillraceError, connect, isMillraceError, messageOf } from '#core'
import type { Clock, Remote } from '#core'
import type { MetricsSnapshot } from './metrics.ts'
import type { ThreadControl, ThreadData } from './thread-control.ts'

export interface Thread {
  readonly name: string
  readonly control: Remote<ThreadControl>
  /** Rejects when the thread's work failed or the thread ended before it was told to. */
  readonly failure: Promise<never>
  /** Tells it to close what it has open, and waits until the thread is gone. */
  stop(): Promise<void>
  /** Ends it at once, whatever it has open. */
  kill(): Promise<void>
}

/**
 * Megabytes that V8 may take for young objects of a thread, in three parts. Left to itself it takes several times as
 * many, for nothing: what threads make is dead after a few milliseconds.
 */
export const youngGenerationMb = 12

export interface ThreadOptions {
  readonly name: string
  readonly script: URL
  readonly data: Omit<ThreadData, 'control'> & Readonly<Record<string, unknown>>
  /** Those in `data`, to be moved. */
  readonly ports: readonly MessagePort[]
  /** The thread is ended by force when it takes longer to stop. */
  readonly stopGrace?: { readonly ms: number; readonly clock: Clock }
}

export function startThread({ name, script, data, ports, stopGrace }: ThreadOptions): Thread {
  const channel = new MessageChannel()
  const worker = new Worker(script, {
    name,
    workerData: { ...data, control: channel.port2 },
    transferList: [channel.port2, ...ports],
    resourceLimits: { maxYoungGenerationSizeMb: youngGenerationMb },
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
      if (stopping === undefined && !threadEnded(error)) reject(error)
    })
  })
  // Who waits for it may come later, or never when the start fails first.
  failure.catch(() => undefined)
  const stop = async (): Promise<void> => {
    const inTime = new AbortController()
    const endLate = async (): Promise<void> => {
      await stopGrace?.clock.sleep(stopGrace.ms, inTime.signal)
      if (stopGrace !== undefined && !inTime.signal.aborted) await worker.terminate()
    }
    const late = endLate()
    // A thread that is ended by force, or has failed before, does not answer any more.
    await control.stop().catch(() => undefined)
    channel.port1.close()
    await ended
    inTime.abort()
    await late
  }
  const kill = async (): Promise<void> => {
    stopping ??= Promise.resolve()
    await worker.terminate()
    channel.port1.close()
    await ended
  }
  return { name, control, failure, kill, stop: () => (stopping ??= stop()) }
}

/** What a call says whose thread is gone; why it is gone, `failure` knows. */
export function threadEnded(error: unknown): boolean {
  return isMillraceError(error, 'RPC_CLOSED') || isMillraceError(error, 'LOG_CLOSED')
}

/** Of the threads that are up. */
export async function threadSnapshots(threads: readonly Thread[]): Promise<MetricsSnapshot[]> {
  const answers = await Promise.allSettled(threads.map((thread) => thread.control.metrics()))
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
}

function threadFailed(name: string, why: string, cause?: unknown): MillraceError {
  return new MillraceError(
    'CLI_THREAD_FAILED',
    `The ${name} thread stopped: ${why}. Nothing acknowledged is lost; start again.`,
    { domain: 'internal', reaction: 'stop', retrySafe: true, ...(cause === undefined ? {} : { cause }) },
  )
}
