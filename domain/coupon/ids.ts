/** What names may look like on the log and in HTTP (design: contract v1). Nothing is coerced. */
import { limits } from './messages.ts'

const idForm = /^[A-Za-z0-9._~:-]+$/

/** Coupon and user ids: 1 to 128 of `A-Z a-z 0-9 . _ ~ : -`, and not `.` or `..`, which URLs would swallow. */
export function isValidId(value: unknown): value is string {
  return isOfIdAlphabet(value, limits.idLengthMax)
}

/** Twice an id and a separator: a gateway that knows its users puts the user before the client's key. */
export const idempotencyKeyLengthMax = 2 * limits.idLengthMax + 1

/** The alphabet of ids, up to `idempotencyKeyLengthMax`. What a client may send is an id. */
export function isValidIdempotencyKey(value: unknown): value is string {
  return isOfIdAlphabet(value, idempotencyKeyLengthMax)
}

/**
 * A coupon's name: 1 to 200 characters (code points). Lone surrogates and NUL are refused: neither UTF-8 nor
 * PostgreSQL can hold them.
 */
export function isValidName(value: unknown): value is string {
  if (typeof value !== 'string' || value === '' || value.length > 2 * limits.nameLengthMax) return false
  if (!value.isWellFormed() || value.includes('\0')) return false
  return value.length <= limits.nameLengthMax || Array.from(value).length <= limits.nameLengthMax
}

function isOfIdAlphabet(value: unknown, lengthMax: number): value is string {
  return (
    typeof value === 'string' &&
    value.length <= lengthMax &&
    idForm.test(value) &&
    value !== '.' &&
    value !== '..'
  )
}
