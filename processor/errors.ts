/** Errors of the runtime, and the decision which errors a record is to blame for. */
import { MillraceError, isMillraceError } from '#core'

const codes = {
  /** Another process runs on this state directory. */
  PROCESSOR_STATE_IN_USE: { domain: 'user', reaction: 'stop', retrySafe: true },
  /** Another thread of this process has not closed the state of the task yet. */
  PROCESSOR_TASK_IN_USE: { domain: 'internal', reaction: 'retry', retrySafe: true },
  /** A topic that the topology reads or writes does not exist, or partition counts do not fit. */
  PROCESSOR_TOPICS: { domain: 'user', reaction: 'stop', retrySafe: true },
  /** Where to go on reading is not known; starting from the beginning would process records again. */
  PROCESSOR_POSITION_LOST: { domain: 'external', reaction: 'stop', retrySafe: false },
  /** A successor has this process's transactional ids or its place in the group. */
  PROCESSOR_FENCED: { domain: 'external', reaction: 'stop', retrySafe: false },
  /** A record failed and the handler is `fail`, or answering it failed too. */
  PROCESSOR_POISON: { domain: 'user', reaction: 'stop', retrySafe: true },
  /** A punctuator failed and the handler is `fail`. */
  PROCESSOR_PUNCTUATOR: { domain: 'user', reaction: 'stop', retrySafe: true },
  /** One output is larger than its topic takes. */
  PROCESSOR_OUTPUT_TOO_LARGE: { domain: 'user', reaction: 'stop', retrySafe: false },
  /** The outputs were written under another application id. */
  PROCESSOR_OTHER_APP: { domain: 'user', reaction: 'stop', retrySafe: true },
} as const satisfies Record<string, Pick<MillraceError, 'domain' | 'reaction' | 'retrySafe'>>

export type ProcessorErrorCode = keyof typeof codes

export function processorError(
  code: ProcessorErrorCode,
  message: string,
  details: { readonly context?: Readonly<Record<string, unknown>>; readonly cause?: unknown } = {},
): MillraceError {
  return new MillraceError(code, message, { ...codes[code], ...details })
}

/**
 * True when the record itself is at fault: it cannot be decoded, the user's code threw, an output is too large.
 * False for errors of the engine (a failed disk, a broken invariant): a record must not be set aside for those.
 */
export function isPoison(error: unknown): boolean {
  if (!isMillraceError(error)) return true
  return error.domain === 'user' || error.code === 'TOPOLOGY_UNDECODABLE'
}
