/** Errors of the state room. */
import { MillraceError } from '#core'

/** The local state cannot be used: delete it and restore it from the changelog. */
export function stateUnusable(directory: string, why: string): MillraceError {
  return new MillraceError('STATE_UNUSABLE', `The state in ${directory} cannot be used: ${why}.`, {
    domain: 'external',
    reaction: 'wipe-restore',
    retrySafe: true,
    context: { directory, why },
  })
}

/** Somebody else has the directory open. */
export function stateLocked(directory: string, cause: unknown): MillraceError {
  return new MillraceError(
    'STATE_LOCKED',
    `${directory} is in use by another process. Stop it, or choose another directory.`,
    { domain: 'external', reaction: 'stop', context: { directory }, cause },
  )
}
