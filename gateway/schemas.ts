/** Request bodies, checked strictly: an unknown member or a wrong type is an error, nothing is coerced. */
import { z } from 'zod'
import { isValidId, isValidName, limits } from '#domain/coupon'
import type { OpeningTerms } from '#domain/coupon'
import { idRule } from './http/ids.ts'
import { parseInstant } from './http/instant.ts'
import { invalidRequest } from './http/problem.ts'
import type { RequestFault } from './http/problem.ts'

const id = z.custom<string>(isValidId, idRule)

const instantRule = 'must be an instant such as 2026-11-21T09:00:00+09:00, in UTC of a year from 0000 to 9999'

const instant = z.string(instantRule).transform((text, context) => {
  const milliseconds = parseInstant(text)
  if (milliseconds !== undefined) return milliseconds
  context.addIssue({ code: 'custom', message: instantRule })
  return z.NEVER
})

function integer(min: number, max: number): z.ZodNumber {
  const message = `must be an integer from ${min} to ${max}`
  return z.int(message).min(min, message).max(max, message)
}

const percentRule = 'must be a number from 0 to 100'
const currencyRule = 'must be three capital letters'

const discount = z.union(
  [
    z.strictObject({ percent: z.number(percentRule).min(0, percentRule).max(100, percentRule) }),
    z.strictObject({
      amount: integer(0, Number.MAX_SAFE_INTEGER),
      currency: z.string(currencyRule).regex(/^[A-Z]{3}$/, currencyRule),
    }),
  ],
  'must be {"percent": 0 to 100} or {"amount": in the minor unit, "currency": "three capital letters"}',
)

const opening = z
  .strictObject({
    couponId: id,
    stock: integer(0, limits.stockMax),
    name: z.custom<string>(isValidName, 'must be 1 to 200 characters').optional(),
    perUserLimit: integer(1, limits.perUserLimitMax).default(1),
    startsAt: instant.optional(),
    endsAt: instant.optional(),
    discount: discount.optional(),
    validUntil: instant.optional(),
  })
  .refine(({ startsAt, endsAt }) => startsAt === undefined || endsAt === undefined || endsAt > startsAt, {
    path: ['endsAt'],
    message: 'must be after startsAt',
  })

const restock = z.strictObject({ add: integer(1, limits.addMax) })

const claim = z.strictObject({ userId: id })

/** Errors: invalid-request. */
export function openingOf(body: unknown): { couponId: string; terms: OpeningTerms } {
  const { couponId, stock, perUserLimit, ...rest } = checked(opening, body)
  const { name = null, startsAt = null, endsAt = null, discount: given = null, validUntil = null } = rest
  return { couponId, terms: { stock, name, perUserLimit, startsAt, endsAt, discount: given, validUntil } }
}

/** Errors: invalid-request. */
export function restockOf(body: unknown): number {
  return checked(restock, body).add
}

/** The claiming user. By hand, as the hot path wants it; the schema explains what is wrong. Errors: invalid-request. */
export function claimingUserOf(body: unknown): string {
  if (typeof body === 'object' && body !== null && isOnlyUserId(body)) {
    const { userId } = body as { readonly userId?: unknown }
    if (isValidId(userId)) return userId
  }
  return checked(claim, body).userId
}

function isOnlyUserId(body: object): boolean {
  for (const name in body) if (name !== 'userId') return false
  return !Array.isArray(body)
}

function checked<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body, { error: inOwnWords })
  if (parsed.success) return parsed.data
  throw invalidRequest(parsed.error.issues.flatMap(faultsOf))
}

/** For faults whose rule has no words of its own: what is not even the object that the rules are about. */
function inOwnWords({ code }: z.core.$ZodRawIssue): string {
  return code === 'invalid_type' ? 'must be a JSON object' : 'is not valid here'
}

function faultsOf(issue: z.core.$ZodIssue): RequestFault[] {
  const path = issue.path.join('.')
  if (issue.code !== 'unrecognized_keys') return [{ path, detail: issue.message }]
  return issue.keys.map((key) => ({
    path: path === '' ? key : `${path}.${key}`,
    detail: 'is not known here',
  }))
}
