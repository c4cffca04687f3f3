/** Operators' commands: each is appended, decided, and answered once this gateway shows what it changed. */
import type { CouponCommand, CouponResult, OpeningTerms } from '#domain/coupon'
import { HttpProblem } from '../http/problem.ts'
import type { ProblemCode } from '../http/problem.ts'
import { traceHeaders } from '../http/traceparent.ts'
import type { CouponEntry } from '../views/coupon-view.ts'
import type { Backend } from './backend.ts'
import { unknownCoupon } from './claims.ts'
import { decisionOf } from './decision.ts'
import { nextNonce } from './nonces.ts'

/** Who gives the command; one name for all who hold the token. */
const operatorName = 'operator'

export type OperatorAction =
  | { readonly command: 'open'; readonly terms: OpeningTerms }
  | { readonly command: 'restock'; readonly add: number }
  | { readonly command: 'pause' | 'resume' | 'close' }

export interface OperatorRequest {
  readonly couponId: string
  readonly action: OperatorAction
  readonly idempotencyKey: string | undefined
  readonly traceparent: string | undefined
}

export interface OperatorAnswer {
  readonly entry: CouponEntry
  /** False when it was so already. */
  readonly changed: boolean
}

export class Operators {
  readonly #backend: Backend

  constructor(backend: Backend) {
    this.#backend = backend
  }

  /** Errors: unknown-coupon; those of the log. */
  async show(couponId: string): Promise<CouponEntry> {
    const { coupons, lookUp } = this.#backend
    const known = coupons.get(couponId)
    if (known !== undefined) return known
    await lookUp.before(couponId)
    const entry = coupons.get(couponId)
    if (entry === undefined) throw unknownCoupon(couponId)
    return entry
  }

  /** Errors: the reasons of a rejection, unknown-coupon, overloaded, outcome-unknown; those of Appender.append. */
  async decide(request: OperatorRequest): Promise<OperatorAnswer> {
    const { couponId, action, idempotencyKey, traceparent } = request
    const { coupons, follower } = this.#backend
    if (action.command !== 'open' && !follower.stalled()) await this.show(couponId)
    const command: CouponCommand = {
      ...action,
      couponId,
      by: operatorName,
      nonce: nextNonce(),
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    }
    const result = await decisionOf(this.#backend, command, traceHeaders(traceparent))
    const { outcome } = result.first ?? result
    if (outcome === 'rejected') throw rejection(result)
    const entry = coupons.get(couponId)
    if (entry === undefined) throw unknownCoupon(couponId)
    return { entry, changed: outcome === 'done' }
  }
}

function rejection(result: CouponResult): HttpProblem {
  const code: ProblemCode = (result.first ?? result).reason ?? 'internal-error'
  return new HttpProblem(code, { detail: rejectionDetails[code] ?? `The command was refused: ${code}.` })
}

const rejectionDetails: Partial<Record<ProblemCode, string>> = {
  'coupon-exists': 'A coupon with this id was opened with other terms. Choose another id.',
  closed: 'The coupon is closed for good.',
  'stock-limit': 'The stock, restocks included, cannot exceed 1e12.',
  'idempotency-key-reused':
    'This Idempotency-Key stands for another request. Use a new key for a new request.',
}
