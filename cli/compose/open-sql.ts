import type { Logger } from '#core'
import { openSqlDatabase } from '#sink'
import type { SqlDatabase } from '#sink'
import type { Settings } from '../settings.ts'

/** The database of DATABASE_URL; it is reached when it is used first. */
export function openSql({ databaseUrl, sinkConnections }: Settings, logger: Logger): SqlDatabase {
  const url = databaseUrl.kind === 'pglite' ? `pglite:${databaseUrl.directory}` : databaseUrl.url
  return openSqlDatabase(url, { connections: sinkConnections, logger })
}
