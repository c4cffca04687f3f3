/** Turns what can go wrong with the surroundings into one line that names the variable to change. */
import { MillraceError, isMillraceError } from '#core'
import type { Settings } from '../settings.ts'

/** The settings that name a directory, as the user writes them. */
export type DirectoryVariable = 'LOG_URL' | 'STATE_DIR' | 'VIEW_DIR' | 'DATABASE_URL'

/** @param variable names the directory that was worked on; it is named where the directory is to blame */
export function startFailed(error: unknown, variable: DirectoryVariable, settings: Settings): unknown {
  if (!isMillraceError(error)) return error
  switch (error.code) {
    case 'LOG_IN_USE':
    case 'PROCESSOR_STATE_IN_USE':
    case 'STATE_LOCKED':
    case 'ROCKSDB_LOCKED':
      return inUse(variable, settings, error)
    case 'DIRECTORY_FOREIGN':
    case 'DIRECTORY_FAILED':
    case 'ROCKSDB_FAILED':
    case 'ROCKSDB_CORRUPT':
    case 'LOG_CORRUPT':
      return naming(variable, error)
    case 'LOG_INVALID_REQUEST':
      return naming('LOG_URL', error, 'CLI_INVALID_SETTINGS')
    case 'LOG_UNAUTHORIZED':
    case 'LOG_UNSUPPORTED':
      return naming('LOG_URL', error)
    case 'LOG_TOPIC_MISMATCH':
      return otherTopics(error, settings)
    case 'PROCESSOR_OTHER_APP':
      return naming('APP_ID', error)
    default:
      return error
  }
}

const forms: Readonly<Record<DirectoryVariable, string>> = {
  LOG_URL: 'LOG_URL=embedded:<directory>',
  STATE_DIR: 'STATE_DIR',
  VIEW_DIR: 'VIEW_DIR',
  DATABASE_URL: 'DATABASE_URL=pglite:<directory>',
}

const directories: Readonly<Record<DirectoryVariable, (settings: Settings) => string>> = {
  LOG_URL: ({ logUrl }) => (logUrl.kind === 'embedded' ? logUrl.directory : logUrl.kind),
  STATE_DIR: ({ stateDirectory }) => stateDirectory,
  VIEW_DIR: ({ viewDirectory }) => viewDirectory,
  DATABASE_URL: ({ databaseUrl }) =>
    databaseUrl.kind === 'pglite' ? databaseUrl.directory : databaseUrl.kind,
}

function inUse(variable: DirectoryVariable, settings: Settings, cause: unknown): MillraceError {
  return new MillraceError(
    'CLI_DIRECTORY_IN_USE',
    `${directories[variable](settings)} is in use by another process. Stop it, or set ${forms[variable]} to another directory.`,
    { domain: 'external', reaction: 'stop', retrySafe: true, cause },
  )
}

/** The same error, told in terms of a setting. */
function naming(variable: string, error: MillraceError, code = error.code): MillraceError {
  const { domain, reaction, retrySafe, context } = error
  const message = `${variable}: ${error.message.replaceAll('\n', ' ')}`
  return new MillraceError(code, message, { domain, reaction, retrySafe, context, cause: error })
}

function otherTopics(error: MillraceError, settings: Settings): MillraceError {
  const { differences } = error.context
  if (!Array.isArray(differences)) return error
  const texts = differences.map(String)
  if (texts.some((text) => /\d+ partitions|has partitions/.test(text)))
    return naming(`PARTITIONS=${settings.partitions}`, error)
  if (texts.some((text) => /has replicationFactor/.test(text)))
    return naming(`REPLICATION_FACTOR=${settings.replicationFactor}`, error)
  if (texts.every((text) => /\.dlq has retentionMs/.test(text))) return naming('DEAD_LETTER_RETENTION', error)
  return error
}
