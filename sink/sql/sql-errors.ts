/** Which failures of a database pass by themselves, and which need a human. */
import { isMillraceError, messageOf } from '#core'
import type { MillraceError } from '#core'
import { sinkError } from '../errors.ts'

/**
 * SQLSTATE classes and codes after which the same call may succeed
 * (PostgreSQL documentation, appendix "PostgreSQL Error Codes").
 */
const passing = new Set([
  '08', // connection exception
  '53', // insufficient resources: out of memory, disk full, too many connections
  '57P01', // admin shutdown
  '57P02', // crash shutdown
  '57P03', // cannot connect now: starting up
  '57P05', // idle session timeout
  '57014', // query cancelled
  '40001', // serialization failure
  '40P01', // deadlock
  '55P03', // lock not available
  '25006', // read only transaction: a standby not yet promoted
  '58', // system error
])

/** `where` names the store without its secrets. */
export function classifySqlError(error: unknown, where: string): MillraceError {
  if (isMillraceError(error)) return error
  const state = sqlStateOf(error)
  if (state === undefined || passing.has(state) || passing.has(state.slice(0, 2))) {
    return sinkError(
      'SINK_STORE_UNAVAILABLE',
      `${where} is away (${messageOf(error) || 'no answer'}). Retrying.`,
      {
        cause: error,
        context: { store: where, sqlState: state },
      },
    )
  }
  return sinkError(
    'SINK_STORE_REFUSED',
    `${where} refused a statement for good: ${messageOf(error)} (SQLSTATE ${state}). ` +
      'Check the rights and that nobody else writes to these tables; an empty database in DATABASE_URL is filled from ' +
      'the log.',
    { cause: error, context: { store: where, sqlState: state } },
  )
}

/** Undefined when it is not the database that answered: a socket error, a time-out, a closed connection. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined
}
