/** PostgreSQL through `pg`. */
import { Pool } from 'pg'
import type { PoolClient } from 'pg'
import { sinkError } from '../errors.ts'
import type { SqlDatabase, SqlParameter, SqlResult, SqlSession, SqlValue } from './database.ts'
import { classifySqlError, sqlStateOf } from './sql-errors.ts'

export interface PostgresOptions {
  /** Most connections at once (SINK_CONNECTIONS). */
  readonly connections: number
  /** For establishing a connection, or waiting for one of the pool, milliseconds. */
  readonly connectTimeoutMs?: number
  /** For one statement, milliseconds; after it the store counts as away. */
  readonly queryTimeoutMs?: number
}

export function openPostgres(url: string, options: PostgresOptions): SqlDatabase {
  return new PostgresDatabase(url, options)
}

class PostgresDatabase implements SqlDatabase {
  readonly kind = 'postgres'
  readonly #where: string
  readonly #pool: Pool
  readonly #open = new Set<PoolClient>()
  #closing: Promise<void> | undefined

  constructor(url: string, options: PostgresOptions) {
    const { host, pathname } = new URL(url)
    this.#where = `PostgreSQL at ${host}${pathname}`
    this.#pool = new Pool({
      connectionString: url,
      max: options.connections,
      connectionTimeoutMillis: options.connectTimeoutMs ?? 3000,
      query_timeout: options.queryTimeoutMs ?? 30_000,
      keepAlive: true,
      application_name: 'millrace-sink',
    })
    // An idle connection that breaks is replaced at the next use; unheard, the event would end the process.
    this.#pool.on('error', () => {})
  }

  async query(text: string, parameters: readonly SqlParameter[] = []): Promise<SqlResult> {
    return this.#withClient((client) => run(client, text, parameters))
  }

  async transaction<T>(work: (session: SqlSession) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#withClient(async (client) => {
      await run(client, 'begin', [])
      try {
        const value = await work({ query: (text, parameters = []) => run(client, text, parameters) })
        await run(client, 'commit', [])
        return value
      } catch (error) {
        // When the connection is gone the server rolls back by itself.
        if (stillUsable(error)) await run(client, 'rollback', [])
        throw error
      }
    }, signal)
  }

  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    const ended = this.#pool.end()
    for (const client of this.#open) cut(client)
    await ended
  }

  async #withClient<T>(work: (client: PoolClient) => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#closing !== undefined || signal?.aborted) throw closed()
    let client: PoolClient | undefined
    let broken = false
    const onAbort = (): void => {
      if (client !== undefined) cut(client)
    }
    // A connection that breaks while a query runs also emits `error`; the query's own failure says it all.
    const onError = (): void => {
      broken = true
    }
    try {
      client = await this.#pool.connect()
      client.on('error', onError)
      this.#open.add(client)
      signal?.addEventListener('abort', onAbort, { once: true })
      if (signal?.aborted || this.#closing !== undefined) throw closed()
      return await work(client)
    } catch (error) {
      broken ||= !stillUsable(error)
      if (this.#closing !== undefined) throw closed()
      throw classifySqlError(error, this.#where)
    } finally {
      signal?.removeEventListener('abort', onAbort)
      if (client !== undefined) {
        client.off('error', onError)
        this.#open.delete(client)
        client.release(broken)
      }
    }
  }
}

async function run(
  client: PoolClient,
  text: string,
  parameters: readonly SqlParameter[],
): Promise<SqlResult> {
  const result = await client.query<Record<string, SqlValue>>(text, [...parameters])
  return { rows: result.rows, count: result.rowCount ?? 0 }
}

/** True when the failure left the session in order: an answer of the server that did not end it, or our own error. */
function stillUsable(error: unknown): boolean {
  const state = sqlStateOf(error)
  if (state !== undefined) return !state.startsWith('57P') && !state.startsWith('08')
  return (error as { code?: unknown } | null)?.code?.toString().startsWith('SINK_') === true
}

/** `pg` has no call that ends a connection without asking the server first. */
function cut(client: PoolClient): void {
  const { connection } = client as unknown as { connection?: { stream?: { destroy(): void } } }
  connection?.stream?.destroy()
}

function closed(): Error {
  return sinkError('SINK_CLOSED', 'The connection to PostgreSQL is closed.')
}
