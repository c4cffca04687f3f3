import { silentLogger } from '#core'
import type { Logger } from '#core'
import { sinkError } from '../errors.ts'
import type { SqlDatabase } from './database.ts'
import { openPglite } from './pglite.ts'
import { openPostgres } from './postgres.ts'
import type { PostgresOptions } from './postgres.ts'

export interface SqlOptions extends PostgresOptions {
  /** Told when files that cannot be opened are built again. */
  readonly logger?: Logger
}

/**
 * Opens the database that DATABASE_URL names: `postgres://…`, `postgresql://…` or `pglite:DIRECTORY`.
 * Connects at the first use, so it never fails on a store that is away. PGlite takes no lock on its directory:
 * hold `lockPglite` as long as it is open.
 * Errors: SINK_INVALID_URL.
 */
export function openSqlDatabase(url: string, options: SqlOptions): SqlDatabase {
  if (url.startsWith('pglite:') && url.length > 'pglite:'.length)
    return openPglite(url.slice('pglite:'.length), options.logger ?? silentLogger)
  if (/^postgres(ql)?:\/\//.test(url) && URL.canParse(url)) return openPostgres(url, options)
  throw sinkError(
    'SINK_INVALID_URL',
    'DATABASE_URL names no database we know. Set it to postgres://user:password@host:5432/database or ' +
      'pglite:./data/postgres.',
  )
}
