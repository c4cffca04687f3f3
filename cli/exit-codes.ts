/** What the command's exit code says; the same for every subcommand. */
import { isMillraceError } from '#core'

export const exitCodes = {
  ok: 0,
  /** It failed, or it found what it looked for violated. */
  failed: 1,
  /** Wrong arguments or settings. */
  usage: 2,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** Of a command that ended with this error. */
export function exitCodeOf(error: unknown): ExitCode {
  return isMillraceError(error, 'CLI_INVALID_SETTINGS') ? exitCodes.usage : exitCodes.failed
}
