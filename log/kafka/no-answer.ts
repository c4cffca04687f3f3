import { messageOf } from '#core'
import type { MillraceError } from '#core'
import { logError } from '../index.ts'

/** A request that got no answer. Inside this driver only: callers get LOG_UNAVAILABLE, or an outcome that is unknown. */
export class NoAnswer extends Error {
  /** False when it surely never reached the broker. */
  readonly sent: boolean

  constructor(message: string, sent: boolean, cause?: unknown) {
    super(message, { cause })
    this.name = 'NoAnswer'
    this.sent = sent
  }
}

export function unavailable(what: string, cause: unknown): MillraceError {
  return logError('LOG_UNAVAILABLE', `${what}: Kafka cannot be reached (${messageOf(cause)}). Try again.`, {
    cause,
  })
}

/** What callers outside may see of a failure. */
export function outward(what: string, error: unknown): unknown {
  return error instanceof NoAnswer ? unavailable(what, error) : error
}
