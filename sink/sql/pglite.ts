/**
 * PostgreSQL inside the process, through PGlite. It runs in the thread that calls it (its first opening takes about
 * two seconds of it), so the composition root gives it a worker. It opens at the first use.
 */
import { mkdir } from 'node:fs/promises'
import type { PGlite, PGliteInterface, Transaction } from '@electric-sql/pglite'
import { messageOf } from '#core'
import { sinkError } from '../errors.ts'
import type { SqlDatabase, SqlParameter, SqlResult, SqlSession, SqlValue } from './database.ts'
import { classifySqlError } from './sql-errors.ts'

/** @param directory where the database lives; made when missing */
export function openPglite(directory: string): SqlDatabase {
  return new PgliteDatabase(directory)
}

class PgliteDatabase implements SqlDatabase {
  readonly kind = 'pglite'
  readonly #directory: string
  readonly #where: string
  #opening: Promise<PGlite> | undefined
  #closing: Promise<void> | undefined

  constructor(directory: string) {
    this.#directory = directory
    this.#where = `PGlite in ${directory}`
  }

  async query(text: string, parameters: readonly SqlParameter[] = []): Promise<SqlResult> {
    return this.#guard(async (database) => run(database, text, parameters))
  }

  async transaction<T>(work: (session: SqlSession) => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (signal?.aborted) throw closed()
    return this.#guard((database) =>
      database.transaction((transaction) =>
        work({ query: (text, parameters = []) => run(transaction, text, parameters) }),
      ),
    )
  }

  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    // A failed opening was told to whoever asked for it.
    const database = await this.#opening?.catch(() => undefined)
    await database?.close()
  }

  async #guard<T>(work: (database: PGlite) => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw closed()
    this.#opening ??= this.#openDatabase()
    const database = await this.#opening
    if (this.#closing !== undefined) throw closed()
    try {
      return await work(database)
    } catch (error) {
      throw classifySqlError(error, this.#where)
    }
  }

  async #openDatabase(): Promise<PGlite> {
    try {
      await mkdir(this.#directory, { recursive: true })
      const { PGlite: Database } = await import('@electric-sql/pglite')
      return await Database.create(this.#directory)
    } catch (error) {
      throw sinkError(
        'SINK_STORE_REFUSED',
        `${this.#where} does not open: ${messageOf(error)}. Delete the directory; it is rebuilt from the log.`,
        { cause: error, context: { store: this.#where } },
      )
    }
  }
}

async function run(
  database: Pick<PGliteInterface | Transaction, 'query'>,
  text: string,
  parameters: readonly SqlParameter[],
): Promise<SqlResult> {
  const result = await database.query<Record<string, SqlValue>>(text, [...parameters])
  return { rows: result.rows, count: result.affectedRows || result.rows.length }
}

function closed(): Error {
  return sinkError('SINK_CLOSED', 'PGlite is closed.')
}
