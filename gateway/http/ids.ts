import { isValidId } from '#domain/coupon'
import { invalidRequest } from './problem.ts'

export const idRule = 'must be 1 to 128 of A-Z a-z 0-9 . _ ~ : - and not . or ..'

/** An id from the address. Errors: invalid-request. */
export function pathId(name: string, value: string | undefined): string {
  if (isValidId(value)) return value
  throw invalidRequest([{ path: name, detail: idRule }])
}
