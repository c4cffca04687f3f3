import type { Clock, Logger } from '#core'
import type { Settings } from '../settings.ts'

/** A process of the program, whichever kind it is. */
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

/** How often a part that starts is asked whether it is ready. */
export const readyPollMs = 10
