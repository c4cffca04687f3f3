/**
 * The error base of every room.
 *
 * An error names the *reaction* it asks for, not just its cause, so that whoever catches it decides by a
 * total switch instead of by message. Codes are stable and never reused; docs/errors.md lists them.
 */

/** Who has to act: the caller, something outside the process, or us. */
export type ErrorDomain = 'user' | 'external' | 'internal'

/** What the catcher should do. Unknown errors count as `stop`. */
export type Reaction =
  /** The same call may simply be made again. */
  | 'retry'
  /** Give up this transaction; its work is done again in the next one. */
  | 'abort-transaction'
  /** Leave and join the group again; local state stays. */
  | 'rejoin'
  /** Local state is not to be trusted: delete it and restore from the changelog. */
  | 'wipe-restore'
  /** Another owner has this task: drop what is uncommitted and let go. */
  | 'abandon-task'
  /** Stop the process; a human has to look. */
  | 'stop'

export interface MillraceErrorOptions {
  readonly domain: ErrorDomain
  readonly reaction: Reaction
  /** True when repeating the same call cannot do harm. */
  readonly retrySafe?: boolean
  readonly context?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

const brand = Symbol.for('millrace.error')

/** Every error Millrace throws on purpose. `message` says what happened and what to do next. */
export class MillraceError extends Error {
  readonly code: string
  readonly domain: ErrorDomain
  readonly reaction: Reaction
  readonly retrySafe: boolean
  readonly context: Readonly<Record<string, unknown>>
  readonly [brand] = true

  constructor(code: string, message: string, options: MillraceErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'MillraceError'
    this.code = code
    this.domain = options.domain
    this.reaction = options.reaction
    this.retrySafe = options.retrySafe ?? false
    this.context = options.context ?? {}
  }
}

/** True for our errors, also for those of another copy of this module or another realm. */
export function isMillraceError(error: unknown, code?: string): error is MillraceError {
  return (
    error instanceof Error &&
    (error as { [brand]?: boolean })[brand] === true &&
    (code === undefined || (error as MillraceError).code === code)
  )
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** A broken promise of our own code. Never caught to go on: the process stops. */
export function invariant(condition: unknown, what: string): asserts condition {
  if (!condition) {
    throw new MillraceError('INVARIANT_BROKEN', `Invariant broken: ${what}. This is a bug in Millrace.`, {
      domain: 'internal',
      reaction: 'stop',
    })
  }
}
