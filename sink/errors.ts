/** Errors of the sink. */
import { MillraceError } from '#core'
import type { ErrorDomain, Reaction } from '#core'

const codes = {
  /** Postgres or Redis cannot be reached, or asks to be left alone for a moment. */
  SINK_STORE_UNAVAILABLE: { domain: 'external', reaction: 'retry' },
  /** A store refused a statement for good: a broken constraint, a missing right, a wrong password. */
  SINK_STORE_REFUSED: { domain: 'external', reaction: 'stop' },
  /** The tables were made by a newer Millrace. */
  SINK_SCHEMA_NEWER: { domain: 'external', reaction: 'stop' },
  /** The stores hold offsets of another log. */
  SINK_LOG_CHANGED: { domain: 'external', reaction: 'stop' },
  /** The log no longer holds the results that a store lacks. */
  SINK_HISTORY_GONE: { domain: 'external', reaction: 'stop' },
  /** A record on the result topic is not a result. */
  SINK_RECORD_UNREADABLE: { domain: 'external', reaction: 'stop' },
  /** Another sink moved the tables first; never leaves the sink. */
  SINK_CONFLICT: { domain: 'internal', reaction: 'retry' },
  /** The topic of results does not exist yet. */
  SINK_TOPIC_MISSING: { domain: 'external', reaction: 'retry' },
  SINK_INVALID_URL: { domain: 'user', reaction: 'stop' },
  SINK_INVALID_CURSOR: { domain: 'user', reaction: 'stop' },
  SINK_CLOSED: { domain: 'internal', reaction: 'stop' },
} as const satisfies Record<string, { domain: ErrorDomain; reaction: Reaction }>

export type SinkErrorCode = keyof typeof codes

export const sinkErrorCodes = Object.keys(codes) as readonly SinkErrorCode[]

/** An error of the sink with its code's reaction. Every call of the sink's is safe to repeat. */
export function sinkError(
  code: SinkErrorCode,
  message: string,
  details: { readonly context?: Readonly<Record<string, unknown>>; readonly cause?: unknown } = {},
): MillraceError {
  return new MillraceError(code, message, { ...codes[code], retrySafe: true, ...details })
}
