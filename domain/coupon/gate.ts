/** What a coupon answers before anything is written: the state shown to everybody, and the gateway's gate. */
import type { CouponSnapshot } from './messages.ts'

export type CouponPhase = 'closed' | 'ended' | 'paused' | 'scheduled' | 'sold-out' | 'open'

/** Why a gate is shut, in the codes of rejected results. */
export type GateCode = 'closed' | 'ended' | 'paused' | 'not-started' | 'sold-out'

export type GateAnswer =
  | { readonly open: true }
  /** `startsAt`: on `not-started`, milliseconds since the epoch. */
  | { readonly open: false; readonly code: GateCode; readonly startsAt?: number }

/** The first that holds. Starts are inclusive, ends exclusive; `now` in milliseconds since the epoch. */
export function stateOf(coupon: CouponSnapshot, now: number): CouponPhase {
  if (coupon.closed) return 'closed'
  if (coupon.endsAt !== null && now >= coupon.endsAt) return 'ended'
  if (coupon.paused) return 'paused'
  if (coupon.startsAt !== null && now < coupon.startsAt) return 'scheduled'
  return coupon.remaining <= 0 ? 'sold-out' : 'open'
}

const openGate: GateAnswer = Object.freeze({ open: true })

/**
 * Whether a claim is worth appending. A gate only saves work, the log decides: its clock is not the log's, so by time
 * it refuses only `toleranceMs` or more beyond a limit, and nearer to it lets the claim through.
 */
export function gateAnswer(coupon: CouponSnapshot, now: number, toleranceMs = 2000): GateAnswer {
  if (coupon.closed) return { open: false, code: 'closed' }
  if (coupon.endsAt !== null && now - coupon.endsAt >= toleranceMs) return { open: false, code: 'ended' }
  if (coupon.paused) return { open: false, code: 'paused' }
  if (coupon.startsAt !== null && coupon.startsAt - now >= toleranceMs) {
    return { open: false, code: 'not-started', startsAt: coupon.startsAt }
  }
  return coupon.remaining <= 0 ? { open: false, code: 'sold-out' } : openGate
}
