/** Opening terms: their limits, and when two of them are the same. */
import { isValidName } from './ids.ts'
import { limits } from './messages.ts'
import type { Discount, OpeningTerms } from './messages.ts'

/** The terms with their known members only; throws what `invalid` makes of the reason. */
export function checkTerms(value: unknown, invalid: (why: string) => Error): OpeningTerms {
  if (typeof value !== 'object' || value === null) throw invalid('terms are not an object')
  const { stock, name, perUserLimit, startsAt, endsAt, discount, validUntil } = value as Readonly<
    Record<string, unknown>
  >
  if (!isIntegerWithin(stock, 0, limits.stockMax)) throw invalid('stock is not an integer from 0 to 1e12')
  if (name !== null && !isValidName(name)) throw invalid('name is neither null nor 1 to 200 characters')
  if (!isIntegerWithin(perUserLimit, 1, limits.perUserLimitMax)) {
    throw invalid('perUserLimit is not an integer from 1 to 1000')
  }
  if (!isInstantOrNull(startsAt)) throw invalid('startsAt is neither null nor milliseconds')
  if (!isInstantOrNull(endsAt)) throw invalid('endsAt is neither null nor milliseconds')
  if (startsAt !== null && endsAt !== null && endsAt <= startsAt)
    throw invalid('endsAt is not after startsAt')
  if (!isInstantOrNull(validUntil)) throw invalid('validUntil is neither null nor milliseconds')
  return {
    stock,
    name,
    perUserLimit,
    startsAt,
    endsAt,
    discount: checkDiscount(discount, invalid),
    validUntil,
  }
}

/** Whether opening again asks for nothing new; restocks since then are no part of the terms. */
export function sameTerms(one: OpeningTerms, other: OpeningTerms): boolean {
  return (
    one.stock === other.stock &&
    one.name === other.name &&
    one.perUserLimit === other.perUserLimit &&
    one.startsAt === other.startsAt &&
    one.endsAt === other.endsAt &&
    one.validUntil === other.validUntil &&
    sameDiscount(one.discount, other.discount)
  )
}

function sameDiscount(one: Discount | null, other: Discount | null): boolean {
  if (one === null || other === null) return one === other
  if ('percent' in one) return 'percent' in other && one.percent === other.percent
  return 'amount' in other && one.amount === other.amount && one.currency === other.currency
}

function checkDiscount(value: unknown, invalid: (why: string) => Error): Discount | null {
  if (value === null) return null
  if (typeof value !== 'object') throw invalid('discount is not an object')
  const { percent, amount, currency } = value as Readonly<Record<string, unknown>>
  if (percent !== undefined && amount === undefined) {
    if (typeof percent === 'number' && percent >= 0 && percent <= 100) return { percent }
    throw invalid('percent is not a number from 0 to 100')
  }
  if (!isIntegerWithin(amount, 0, Number.MAX_SAFE_INTEGER)) throw invalid('amount is not an integer from 0')
  if (typeof currency !== 'string' || !/^[A-Z]{3}$/.test(currency)) {
    throw invalid('currency is not of three capital letters')
  }
  return { amount, currency }
}

function isIntegerWithin(value: unknown, min: number, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
}

function isInstantOrNull(value: unknown): value is number | null {
  return value === null || Number.isSafeInteger(value)
}
