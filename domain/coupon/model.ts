/**
 * The rules of coupons once more, written for reading and not for speed, and without a line of `rules.ts`: tests and
 * `millrace verify` ask both. It keeps every key for ever and checks its age exactly.
 */
import { isDeepStrictEqual } from 'node:util'
import { formatClaimId } from './claim-id.ts'
import type {
  CouponCommand,
  CouponResult,
  CouponSnapshot,
  CouponStatus,
  FirstOutcome,
  OpeningTerms,
  RejectReason,
} from './messages.ts'

export interface ModelOptions {
  readonly partition: number
  readonly topicVersion?: number
  readonly idempotencyRetentionMs?: number
}

export interface ModelRecord {
  readonly offset: number
  readonly timestamp: number
  /** Undefined for a record that cannot be read: it moves time and nothing else. */
  readonly command: CouponCommand | undefined
}

export interface ModelAnswer {
  readonly result: CouponResult
  readonly status: CouponStatus | undefined
}

interface Piece {
  readonly claimId: string
  readonly sequence: number
  readonly slot: number
}

interface Coupon {
  readonly terms: OpeningTerms
  readonly openedAt: number
  readonly pieces: Map<string, Piece[]>
  added: number
  given: number
  returned: number
  switches: number
  paused: boolean
  closed: boolean
}

type Verdict = Pick<CouponResult, 'outcome'> & Partial<CouponResult>

export class CouponModel {
  readonly #options: Required<ModelOptions>
  readonly #coupons = new Map<string, Coupon>()
  readonly #keys = new Map<string, { readonly command: CouponCommand; readonly first: FirstOutcome }>()
  #now = Number.NEGATIVE_INFINITY

  constructor(options: ModelOptions) {
    this.#options = { topicVersion: 1, idempotencyRetentionMs: 86_400_000, ...options }
  }

  /** Lets time pass for a record that has no effect: it could not be read, or could not be processed. */
  pass(record: ModelRecord): number {
    this.#now = Math.max(this.#now, record.timestamp)
    return this.#now
  }

  /** The one result of a command, and the status it leads to. */
  answer(offset: number, timestamp: number, command: CouponCommand): ModelAnswer {
    const now = this.pass({ offset, timestamp, command })
    const { couponId, nonce, idempotencyKey } = command
    const gateBefore = this.#gate(couponId)
    const verdict = this.#verdictWithKey(command, offset, now)
    const after = this.#snapshot(couponId)
    const { partition } = this.#options
    const result: CouponResult = {
      partition,
      offset,
      nonce,
      command: command.command,
      couponId,
      userId: 'userId' in command ? command.userId : command.by,
      decidedAt: now,
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      ...verdict,
      ...(after === undefined ? {} : { remaining: after.remaining, version: after.version }),
      ...(after !== undefined && carriesCoupon(verdict) ? { coupon: after } : {}),
    }
    const changed = after !== undefined && !isDeepStrictEqual(this.#gate(couponId), gateBefore)
    return { result, status: changed ? { ...after, partition, offset } : undefined }
  }

  #verdictWithKey(command: CouponCommand, offset: number, now: number): Verdict {
    const { couponId, nonce, idempotencyKey } = command
    if (idempotencyKey === undefined) return this.#verdict(command, offset, now)

    const place = JSON.stringify([couponId, idempotencyKey])
    const seen = this.#keys.get(place)
    if (seen !== undefined && now < seen.first.decidedAt + this.#options.idempotencyRetentionMs) {
      if (isDeepStrictEqual(request(seen.command), request(command)))
        return { outcome: 'repeat', first: seen.first }
      return { outcome: 'rejected', reason: 'idempotency-key-reused' }
    }
    const verdict = this.#verdict(command, offset, now)
    if (verdict.reason !== 'unknown-coupon') {
      const { outcome, reason, sequence } = verdict
      const first = JSON.parse(JSON.stringify({ offset, nonce, outcome, reason, sequence, decidedAt: now }))
      this.#keys.set(place, { command, first: first as FirstOutcome })
    }
    return verdict
  }

  #verdict(command: CouponCommand, offset: number, now: number): Verdict {
    const coupon = this.#coupons.get(command.couponId)
    if (command.command === 'open') {
      if (coupon === undefined) {
        this.#coupons.set(command.couponId, opened(command.terms, now))
        return { outcome: 'done' }
      }
      return isDeepStrictEqual(coupon.terms, command.terms) ? { outcome: 'unchanged' } : no('coupon-exists')
    }
    if (coupon === undefined) return no('unknown-coupon')
    switch (command.command) {
      case 'issue':
        return this.#issue(coupon, command.userId, command.nonce, offset, now)
      case 'cancel':
        return cancel(coupon, command.userId, command.claimId)
      case 'close':
        return flip(coupon, 'closed', true)
      case 'pause':
        return coupon.closed ? no('closed') : flip(coupon, 'paused', true)
      case 'resume':
        return coupon.closed ? no('closed') : flip(coupon, 'paused', false)
      case 'restock':
        break
    }
    if (coupon.closed) return no('closed')
    if (coupon.terms.stock + coupon.added + command.add > 1e12) return no('stock-limit')
    coupon.added += command.add
    coupon.switches += 1
    return { outcome: 'done' }
  }

  #issue(coupon: Coupon, userId: string, nonce: string, offset: number, now: number): Verdict {
    const { startsAt, endsAt, perUserLimit, stock } = coupon.terms
    if (coupon.closed) return no('closed')
    if (endsAt !== null && !(now < endsAt)) return no('ended')
    if (coupon.paused) return no('paused')
    if (startsAt !== null && !(startsAt <= now)) return no('not-started')
    const own = coupon.pieces.get(userId) ?? []
    if (own.length === perUserLimit) {
      return { outcome: 'rejected', reason: 'limit-reached', sequences: own.map((piece) => piece.sequence) }
    }
    if (coupon.given - coupon.returned === stock + coupon.added) return no('sold-out')
    coupon.given += 1
    const taken = new Set(own.map((piece) => piece.slot))
    const slots = Array.from({ length: perUserLimit }, (_, index) => index + 1)
    const slot = slots.find((each) => !taken.has(each)) ?? Number.NaN
    const { topicVersion: version, partition } = this.#options
    const piece = {
      claimId: formatClaimId({ nonce, version, partition, offset }),
      sequence: coupon.given,
      slot,
    }
    coupon.pieces.set(userId, [...own, piece])
    return { outcome: 'issued', sequence: piece.sequence, slot }
  }

  #snapshot(couponId: string): CouponSnapshot | undefined {
    const coupon = this.#coupons.get(couponId)
    if (coupon === undefined) return undefined
    const { terms, openedAt, added, given, returned, switches, paused, closed } = coupon
    const stock = terms.stock + added
    const version = 1 + switches + given + returned
    return {
      ...terms,
      couponId,
      stock,
      remaining: stock - given + returned,
      paused,
      closed,
      openedAt,
      version,
    }
  }

  /** All that a status is about. */
  #gate(couponId: string): unknown {
    const snapshot = this.#snapshot(couponId)
    if (snapshot === undefined) return undefined
    const { stock, paused, closed, remaining } = snapshot
    return { stock, paused, closed, soldOut: remaining === 0 }
  }
}

function opened(terms: OpeningTerms, now: number): Coupon {
  const counts = { added: 0, given: 0, returned: 0, switches: 0 }
  return { terms, openedAt: now, pieces: new Map(), ...counts, paused: false, closed: false }
}

function flip(coupon: Coupon, flag: 'paused' | 'closed', to: boolean): Verdict {
  if (coupon[flag] === to) return { outcome: 'unchanged' }
  coupon[flag] = to
  coupon.switches += 1
  return { outcome: 'done' }
}

function cancel(coupon: Coupon, userId: string, claimId: string): Verdict {
  const own = coupon.pieces.get(userId) ?? []
  const piece = own.find((each) => each.claimId === claimId)
  if (piece === undefined) return no('not-issued')
  coupon.pieces.set(
    userId,
    own.filter((each) => each !== piece),
  )
  coupon.returned += 1
  return { outcome: 'cancelled', sequence: piece.sequence, claimId }
}

function no(reason: RejectReason): Verdict {
  return { outcome: 'rejected', reason }
}

function carriesCoupon(verdict: Verdict): boolean {
  return verdict.outcome === 'done' || verdict.outcome === 'unchanged' || verdict.reason === 'coupon-exists'
}

/** The user and the body of a command. Who typed it matters only where no user is named. */
function request(command: CouponCommand): object {
  const { nonce: _nonce, idempotencyKey: _key, by, ...body } = command
  return 'userId' in body ? body : { ...body, by }
}
