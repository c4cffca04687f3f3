/** `limit` and `cursor` of lists. A cursor is opaque: the last item's sort key in base64url. */
import type { RequestFault } from './problem.ts'
import { invalidRequest } from './problem.ts'

const limitMax = 500
const limitDefault = 50

export interface Page<K> {
  readonly limit: number
  /** The list goes on after this key. */
  readonly after: K | undefined
}

export function encodeCursor(key: string): string {
  return Buffer.from(key).toString('base64url')
}

/** @param decode the key of a cursor's text, or undefined when it is none. Errors: invalid-request. */
export function pageOf<K>(
  query: (name: string) => string | undefined,
  decode: (text: string) => K | undefined,
): Page<K> {
  const faults: RequestFault[] = []
  const limit = limitOf(query('limit'))
  if (limit === undefined) faults.push({ path: 'limit', detail: `must be an integer from 1 to ${limitMax}` })
  const cursor = query('cursor')
  const after = cursor === undefined ? undefined : decodeCursor(cursor, decode)
  if (cursor !== undefined && after === undefined) {
    faults.push({ path: 'cursor', detail: 'must be the nextCursor of the page before' })
  }
  if (limit === undefined || faults.length > 0) throw invalidRequest(faults)
  return { limit, after }
}

function limitOf(text: string | undefined): number | undefined {
  if (text === undefined) return limitDefault
  if (!/^[1-9]\d{0,2}$/.test(text) || Number(text) > limitMax) return undefined
  return Number(text)
}

function decodeCursor<K>(cursor: string, decode: (text: string) => K | undefined): K | undefined {
  if (!/^[A-Za-z0-9_-]{1,1024}$/.test(cursor)) return undefined
  return decode(Buffer.from(cursor, 'base64url').toString())
}
