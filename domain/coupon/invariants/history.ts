/** What the checkers are fed with: one partition, its commands in offset order and the results in order. */
import type { CouponCommand, CouponResult, CouponStatus, OpeningTerms } from '../messages.ts'

export interface CommandRecord {
  readonly offset: number
  /** Log-append time, milliseconds since the epoch. */
  readonly timestamp: number
  /** Undefined for a record that cannot be read: it has no result, but moves the stream's time. */
  readonly command: CouponCommand | undefined
}

export interface PartitionHistory {
  readonly partition: number
  readonly commands: readonly CommandRecord[]
  /** As a read_committed reader gets them. */
  readonly results: readonly CouponResult[]
  /** As written, before compaction; left out, statuses are not checked. */
  readonly statuses?: readonly CouponStatus[]
}

/** `invariant`: its number in design §7. */
export interface Violation {
  readonly invariant: number
  readonly message: string
  readonly partition?: number
  readonly offset?: number
  readonly couponId?: string
}

/** A command beside its result; the stream's time at it. */
export interface Decided {
  readonly offset: number
  readonly now: number
  readonly command: CouponCommand
  readonly result: CouponResult
}

/** Commands that have a result, in offset order. Missing and surplus results are for `checkOneResult`. */
export function* decidedOf(history: PartitionHistory): IterableIterator<Decided> {
  const results = new Map(history.results.map((result) => [result.offset, result]))
  let now = Number.NEGATIVE_INFINITY
  for (const { offset, timestamp, command } of history.commands) {
    now = Math.max(now, timestamp)
    const result = results.get(offset)
    if (command !== undefined && result !== undefined) yield { offset, now, command, result }
  }
}

/** What operators' commands that were `done` have made of a coupon. */
export interface Opened {
  readonly terms: OpeningTerms
  readonly stock: number
  readonly paused: boolean
  readonly closed: boolean
}

/** Folds one command into `coupons`. Trusts results of operators' commands: `checkDecisions` is about those. */
export function follow(coupons: Map<string, Opened>, { command, result }: Decided): void {
  if (result.outcome !== 'done') return
  const { couponId } = command
  if (command.command === 'open') {
    coupons.set(couponId, { terms: command.terms, stock: command.terms.stock, paused: false, closed: false })
    return
  }
  const coupon = coupons.get(couponId)
  if (coupon === undefined) return
  if (command.command === 'restock') coupons.set(couponId, { ...coupon, stock: coupon.stock + command.add })
  if (command.command === 'pause') coupons.set(couponId, { ...coupon, paused: true })
  if (command.command === 'resume') coupons.set(couponId, { ...coupon, paused: false })
  if (command.command === 'close') coupons.set(couponId, { ...coupon, closed: true })
}

/**
 * Whether a claim may be granted by the state of its coupon and by time. One that is answered through its
 * Idempotency-Key, or that failed, asks for nothing.
 */
export function isEligible(coupon: Opened | undefined, { now, result }: Decided): coupon is Opened {
  if (coupon === undefined || coupon.closed || coupon.paused) return false
  const { startsAt, endsAt } = coupon.terms
  if (endsAt !== null && now >= endsAt) return false
  if (startsAt !== null && now < startsAt) return false
  return (
    result.outcome !== 'repeat' &&
    result.reason !== 'idempotency-key-reused' &&
    result.reason !== 'internal-error'
  )
}
