/** The course of a process of the program, whichever kind it is: opened, ready, and stopped or failed. */
import type { Clock, Logger } from '#core'
import type { Settings } from '../settings.ts'
import { threadEnded } from './thread.ts'

export interface RunningProgram {
  /** Where it listens, as seen from this machine. */
  readonly url: string
  /**
   * Resolves once every directory is this process's, so that nothing on this machine can stop it any more, or once it
   * waits for a log that is away.
   */
  readonly opened: Promise<void>
  /** Resolves once it does its work and has caught up. */
  readonly ready: Promise<void>
  /** Rejects when it cannot go on. */
  readonly failure: Promise<never>
  /** Stops accepting, finishes what was accepted, closes everything in order. */
  stop(): Promise<void>
}

export interface ProgramOptions {
  readonly settings: Settings
  readonly clock: Clock
  readonly logger: Logger
  /** Log lines of the other threads for humans instead of JSON. */
  readonly readableLogs: boolean
}

/** What the parts of a process tell of their start, and hear of its end. */
export interface Course {
  /** Aborts when the process is told to stop. */
  readonly signal: AbortSignal
  readonly opened: () => void
  /** Resolves once `isReady` holds, which makes the process ready, or once it is told to stop. */
  readonly readyWhen: (isReady: () => Promise<boolean>) => Promise<void>
  readonly fail: (error: unknown) => void
}

const readyPollMs = 10

/**
 * Begins at once.
 * @param begin what it rejects with ends the process, unless that is stopping
 * @param close waits for what has `begun`, when it sees fit
 */
export function runProgram(
  { url, clock }: { readonly url: string; readonly clock: Clock },
  begin: (course: Course) => Promise<void>,
  close: (begun: Promise<void>) => Promise<void>,
): RunningProgram {
  const opened = Promise.withResolvers<void>()
  const ready = Promise.withResolvers<void>()
  const failed = Promise.withResolvers<never>()
  const stopping = new AbortController()
  const { signal } = stopping
  const course: Course = {
    signal,
    opened: opened.resolve,
    fail: failed.reject,
    readyWhen: async (isReady) => {
      while (!signal.aborted && !(await isReady())) await clock.sleep(readyPollMs)
      if (!signal.aborted) ready.resolve()
    },
  }
  const begun = begin(course).catch((error: unknown) => {
    // Why a thread has ended, it tells itself.
    if (!signal.aborted && !threadEnded(error)) failed.reject(error)
  })
  let stopped: Promise<void> | undefined
  const stop = (): Promise<void> => {
    stopping.abort()
    return close(begun)
  }
  return {
    url,
    opened: opened.promise,
    ready: ready.promise,
    failure: failed.promise,
    stop: () => (stopped ??= stop()),
  }
}
