/** The little of SQL databases that the sink needs. One text of SQL for every adapter: PostgreSQL's. */

/** What a column holds after the driver read it; `int8` may come as number, bigint or text: see `integerOf`. */
export type SqlValue = string | number | bigint | boolean | null

export interface SqlResult {
  readonly rows: readonly Readonly<Record<string, SqlValue>>[]
  /** Rows inserted, updated, deleted or selected. */
  readonly count: number
}

/** Parameters travel as text; arrays as array literals (`arrayLiteral`) that the statement casts. */
export type SqlParameter = string | number | null

export interface SqlSession {
  query(text: string, parameters?: readonly SqlParameter[]): Promise<SqlResult>
}

/**
 * Errors of every call: SINK_STORE_UNAVAILABLE (retry: the store is away; a transaction may have been committed or
 * not), SINK_STORE_REFUSED (stop: the statement itself is wrong here; nothing was committed), SINK_CLOSED.
 */
export interface SqlDatabase extends SqlSession {
  readonly kind: 'postgres' | 'pglite'
  /**
   * Runs `work` in one transaction: committed when it resolves, rolled back when it throws (a MillraceError; it is
   * passed on as it is).
   * `signal` cuts the connection instead of waiting for an answer; the outcome may then be unknown.
   */
  transaction<T>(work: (session: SqlSession) => Promise<T>, signal?: AbortSignal): Promise<T>
  /** Cuts what is under way after a moment of grace. Idempotent. */
  close(): Promise<void>
}

/** An `int8` of any adapter as a safe integer. */
export function integerOf(value: SqlValue | undefined): number {
  return Number(value)
}

/**
 * A one-dimensional array as PostgreSQL reads it from text. Passing one text instead of the driver's own array
 * encoding keeps the statements the same for every adapter, and is the fastest way in.
 */
export function arrayLiteral(values: readonly (string | number | boolean | null)[]): string {
  let text = '{'
  for (let index = 0; index < values.length; index++) {
    if (index > 0) text += ','
    const value = values[index]
    if (value === null || value === undefined) text += 'NULL'
    else if (typeof value === 'string') text += quoted(value)
    else text += value
  }
  return text + '}'
}

const special = /["\\]/
const specials = /["\\]/g

function quoted(text: string): string {
  // PostgreSQL's text cannot hold NUL; refusing the row would stop the sink for a character nobody sees.
  const storable = text.includes('\0') ? text.replaceAll('\0', '\u{FFFD}') : text
  return special.test(storable) ? `"${storable.replace(specials, '\\$&')}"` : `"${storable}"`
}
