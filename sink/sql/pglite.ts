/**
 * PostgreSQL inside the process, through PGlite. It runs in the thread that calls it (its first opening takes about
 * two seconds of it), so the composition root gives it a worker. It opens at the first use.
 */
import { rm } from 'node:fs/promises'
import type { PGlite, PGliteInterface, Transaction } from '@electric-sql/pglite'
import { claimDirectory, isMillraceError, messageOf } from '#core'
import type { Logger } from '#core'
import { sinkError } from '../errors.ts'
import type { SqlDatabase, SqlParameter, SqlResult, SqlSession, SqlValue } from './database.ts'
import { pgliteFiles } from './pglite-directory.ts'
import { classifySqlError, sqlStateOf } from './sql-errors.ts'

/**
 * Files that cannot be opened are deleted and made anew, since they hold only a fold of the log; but never in a
 * directory that we did not make.
 * @param directory where the database lives; made when missing. One process at a time: hold `lockPglite`
 */
export function openPglite(directory: string, logger: Logger): SqlDatabase {
  return new PgliteDatabase(directory, logger)
}

class PgliteDatabase implements SqlDatabase {
  readonly kind = 'pglite'
  readonly #directory: string
  readonly #where: string
  readonly #logger: Logger
  #opening: Promise<PGlite> | undefined
  #closing: Promise<void> | undefined

  constructor(directory: string, logger: Logger) {
    this.#directory = directory
    this.#logger = logger
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
      if (isMillraceError(error) || sqlStateOf(error) !== undefined) {
        throw classifySqlError(error, this.#where)
      }
      // Inside of the process nothing is ever away: what is no answer of the database is its end.
      throw this.#refused('has failed', error)
    }
  }

  async #openDatabase(): Promise<PGlite> {
    // A directory of others is refused with its own error, and stays as it is.
    await claimDirectory(this.#directory, 'postgres')
    const { PGlite: Database } = await import('@electric-sql/pglite')
    const files = pgliteFiles(this.#directory)
    try {
      return await Database.create(files)
    } catch (error) {
      if (isSurroundings(error)) throw this.#refused('does not open', error)
      this.#logger.warn(
        { directory: this.#directory, error: messageOf(error) },
        'The SQL copy on disk cannot be opened; it is deleted and built again from the log.',
      )
    }
    try {
      await rm(files, { recursive: true, force: true })
      return await Database.create(files)
    } catch (error) {
      throw this.#refused('does not open', error)
    }
  }

  #refused(what: string, cause: unknown): Error {
    return sinkError(
      'SINK_STORE_REFUSED',
      `${this.#where} ${what}: ${messageOf(cause)}. Stop Millrace, delete the directory and start again; it is ` +
        'rebuilt from the log.',
      { cause, context: { store: this.#where } },
    )
  }
}

/** A full disk or a missing right: deleting the files would help nobody. */
function isSurroundings(error: unknown): boolean {
  const text = `${(error as NodeJS.ErrnoException | null)?.code} ${messageOf(error)}`
  return /\b(ENOSPC|EDQUOT|EACCES|EPERM|EROFS|EMFILE|ENFILE)\b|No space left/.test(text)
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
