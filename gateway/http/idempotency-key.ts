/** The Idempotency-Key header: the alphabet of ids, quotes around it optional. */
import { isValidId } from '#domain/coupon'
import { invalidRequest } from './problem.ts'

export function idempotencyKeyOf(header: string | undefined): string | undefined {
  if (header === undefined) return undefined
  const quoted = header.length >= 2 && header.startsWith('"') && header.endsWith('"')
  const key = quoted ? header.slice(1, -1) : header
  if (isValidId(key)) return key
  throw invalidRequest([
    { path: 'Idempotency-Key', detail: 'must be 1 to 128 of A-Z a-z 0-9 . _ ~ : - and not . or ..' },
  ])
}
