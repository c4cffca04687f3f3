/** Errors of the log port, the same for every driver. */
import { MillraceError } from '#core'
import type { Reaction } from '#core'

const codes = {
  LOG_TOPIC_MISMATCH: { reaction: 'stop', retrySafe: true },
  LOG_UNKNOWN_TOPIC: { reaction: 'stop', retrySafe: true },
  LOG_INVALID_REQUEST: { reaction: 'stop', retrySafe: true },
  LOG_UNSTABLE_OFFSETS: { reaction: 'retry', retrySafe: true },
  LOG_APPEND_FAILED: { reaction: 'retry', retrySafe: true },
  LOG_APPEND_UNKNOWN: { reaction: 'stop', retrySafe: false },
  LOG_OVERLOADED: { reaction: 'retry', retrySafe: true },
  LOG_RECORD_TOO_LARGE: { reaction: 'stop', retrySafe: true },
  LOG_OFFSET_OUT_OF_RANGE: { reaction: 'stop', retrySafe: true },
  LOG_UNAVAILABLE: { reaction: 'retry', retrySafe: true },
  /** It takes nothing more until it is opened again. */
  LOG_FAILED: { reaction: 'stop', retrySafe: true },
  LOG_FENCED: { reaction: 'abandon-task', retrySafe: false },
  LOG_UNSUPPORTED: { reaction: 'stop', retrySafe: true },
  LOG_UNAUTHORIZED: { reaction: 'stop', retrySafe: true },
  LOG_IN_USE: { reaction: 'stop', retrySafe: true },
  LOG_CORRUPT: { reaction: 'stop', retrySafe: false },
  LOG_CLOSED: { reaction: 'stop', retrySafe: false },
} as const satisfies Record<string, { reaction: Reaction; retrySafe: boolean }>

export type LogErrorCode = keyof typeof codes

export const logErrorCodes = Object.keys(codes) as readonly LogErrorCode[]

/** An error of the port with its code's reaction. `message` says what to do next. */
export function logError(
  code: LogErrorCode,
  message: string,
  details: { readonly context?: Readonly<Record<string, unknown>>; readonly cause?: unknown } = {},
): MillraceError {
  return new MillraceError(code, message, { domain: 'external', ...codes[code], ...details })
}
