/** Turns what can go wrong at the start into one line that names the variable to change. */
import { MillraceError, isMillraceError } from '#core'
import type { Settings } from '../settings.ts'

/** An error of opening a part, in terms of the settings where they are to blame. */
export function startFailed(error: unknown, settings: Settings): unknown {
  if (!isMillraceError(error)) return error
  switch (error.code) {
    case 'LOG_IN_USE':
      return inUse(settings.logUrl.directory, 'LOG_URL=embedded:<directory>', error)
    case 'PROCESSOR_STATE_IN_USE':
      return inUse(settings.stateDirectory, 'STATE_DIR', error)
    case 'ROCKSDB_LOCKED':
      return inUse(settings.viewDirectory, 'VIEW_DIR', error)
    default:
      return error
  }
}

function inUse(directory: string, variable: string, cause: unknown): MillraceError {
  return new MillraceError(
    'CLI_DIRECTORY_IN_USE',
    `${directory} is in use by another process. Stop it, or set ${variable} to another directory.`,
    { domain: 'external', reaction: 'stop', retrySafe: true, cause },
  )
}
