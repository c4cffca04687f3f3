/**
 * The decision of one command, as a pure function of the command and what its partition held before it.
 * The order of the checks is part of the contract: it decides which reason a user is told.
 */
import { parseClaimId } from './claim-id.ts'
import { noHoldings, remainingOf } from './coupon-state.ts'
import type { CouponState, Holding, Holdings } from './coupon-state.ts'
import { fingerprintOf } from './fingerprint.ts'
import { limits } from './messages.ts'
import type {
  CancelCommand,
  CouponCommand,
  FirstOutcome,
  IssueCommand,
  OpenCommand,
  Outcome,
  RejectReason,
  RestockCommand,
} from './messages.ts'
import { sameTerms } from './terms.ts'

/** What the decision is made from. */
export interface Facts {
  /** Stream time, milliseconds since the epoch: the only time there is. */
  readonly now: number
  readonly coupon: CouponState | undefined
  /** Asked at most once, and only when the user's pieces matter. */
  readonly holdingsOf: (couponId: string, userId: string) => Holdings | undefined
  /** What the command's Idempotency-Key stands for, if it is remembered. */
  readonly remembered: Remembered | undefined
  /** The command's place in line. */
  readonly topicVersion: number
  readonly partition: number
  readonly offset: number
}

/** What is kept of the first command under an Idempotency-Key. */
export interface Remembered {
  /** Who asked for what: see `fingerprintOf`. */
  readonly fingerprint: string
  readonly first: FirstOutcome
}

export interface Decision {
  readonly outcome: Outcome
  readonly reason?: RejectReason
  readonly sequence?: number
  readonly slot?: number
  readonly sequences?: readonly number[]
  readonly claimId?: string
  readonly first?: FirstOutcome
  /** The coupon after the command; the very same object when nothing changed. */
  readonly coupon: CouponState | undefined
  /** The user's pieces after the command, when they changed. */
  readonly holdings?: Holdings
  /** Whether the result carries the whole coupon. */
  readonly snapshot?: boolean
}

export function decide(command: CouponCommand, facts: Facts): Decision {
  const { coupon, remembered } = facts
  if (remembered !== undefined) return decideRepeat(command, coupon, remembered)
  if (command.command === 'open') return decideOpen(command, coupon, facts.now)
  if (coupon === undefined) return rejected('unknown-coupon', coupon)
  switch (command.command) {
    case 'issue':
      return decideIssue(command, coupon, facts)
    case 'cancel':
      return decideCancel(command, coupon, facts)
    case 'restock':
      return decideRestock(command, coupon)
    case 'pause':
      return decideSwitch(coupon, { paused: true })
    case 'resume':
      return decideSwitch(coupon, { paused: false })
    case 'close':
      break
  }
  return coupon.closed ? unchanged(coupon) : done(coupon, { closed: true })
}

/** Whose command this is in its result: the claiming user's, or the operator's. */
export function userOf(command: CouponCommand): string {
  return command.command === 'issue' || command.command === 'cancel' ? command.userId : command.by
}

function decideRepeat(
  command: CouponCommand,
  coupon: CouponState | undefined,
  remembered: Remembered,
): Decision {
  if (remembered.fingerprint !== fingerprintOf(command)) return rejected('idempotency-key-reused', coupon)
  return { outcome: 'repeat', first: remembered.first, coupon }
}

function decideOpen(command: OpenCommand, coupon: CouponState | undefined, now: number): Decision {
  const { terms } = command
  if (coupon !== undefined) {
    if (sameTerms(coupon.terms, terms)) return unchanged(coupon)
    return { outcome: 'rejected', reason: 'coupon-exists', coupon, snapshot: true }
  }
  const opened: CouponState = {
    terms,
    stock: terms.stock,
    held: 0,
    sequence: 0,
    paused: false,
    closed: false,
    openedAt: now,
    version: 1,
  }
  return { outcome: 'done', coupon: opened, snapshot: true }
}

function decideIssue(command: IssueCommand, coupon: CouponState, facts: Facts): Decision {
  const { terms } = coupon
  if (coupon.closed) return rejected('closed', coupon)
  if (terms.endsAt !== null && facts.now >= terms.endsAt) return rejected('ended', coupon)
  if (coupon.paused) return rejected('paused', coupon)
  if (terms.startsAt !== null && facts.now < terms.startsAt) return rejected('not-started', coupon)

  const held = facts.holdingsOf(command.couponId, command.userId) ?? noHoldings
  if (held.length >= terms.perUserLimit) {
    const sequences = held.map((each) => each.sequence)
    return { outcome: 'rejected', reason: 'limit-reached', sequences, coupon }
  }
  if (remainingOf(coupon) <= 0) return rejected('sold-out', coupon)

  const sequence = coupon.sequence + 1
  const slot = freeSlot(held)
  const { topicVersion, partition, offset } = facts
  const holding: Holding = { sequence, slot, nonce: command.nonce, topicVersion, partition, offset }
  return {
    outcome: 'issued',
    sequence,
    slot,
    coupon: issuedFrom(coupon, sequence),
    holdings: held.length === 0 ? [holding] : [...held, holding],
  }
}

/** Spelled out: a spread costs as much as the rest of a decision. */
function issuedFrom(coupon: CouponState, sequence: number): CouponState {
  const { terms, stock, held, paused, closed, openedAt, version } = coupon
  return { terms, stock, held: held + 1, sequence, paused, closed, openedAt, version: version + 1 }
}

/** Gives a piece back at any time, also on a paused, ended or closed coupon: nobody is made to keep one. */
function decideCancel(command: CancelCommand, coupon: CouponState, facts: Facts): Decision {
  const claim = parseClaimId(command.claimId)
  if (claim === undefined) return rejected('not-issued', coupon)
  const held = facts.holdingsOf(command.couponId, command.userId) ?? noHoldings
  const given = held.find(
    (each) =>
      each.offset === claim.offset &&
      each.partition === claim.partition &&
      each.topicVersion === claim.version &&
      each.nonce === claim.nonce,
  )
  if (given === undefined) return rejected('not-issued', coupon)
  return {
    outcome: 'cancelled',
    sequence: given.sequence,
    claimId: command.claimId,
    coupon: { ...coupon, held: coupon.held - 1, version: coupon.version + 1 },
    holdings: held.filter((each) => each !== given),
  }
}

function decideRestock(command: RestockCommand, coupon: CouponState): Decision {
  if (coupon.closed) return rejected('closed', coupon)
  const stock = coupon.stock + command.add
  return stock > limits.stockMax ? rejected('stock-limit', coupon) : done(coupon, { stock })
}

function decideSwitch(coupon: CouponState, to: { readonly paused: boolean }): Decision {
  if (coupon.closed) return rejected('closed', coupon)
  return coupon.paused === to.paused ? unchanged(coupon) : done(coupon, to)
}

function done(coupon: CouponState, change: Partial<CouponState>): Decision {
  return { outcome: 'done', coupon: { ...coupon, ...change, version: coupon.version + 1 }, snapshot: true }
}

function unchanged(coupon: CouponState): Decision {
  return { outcome: 'unchanged', coupon, snapshot: true }
}

function rejected(reason: RejectReason, coupon: CouponState | undefined): Decision {
  return { outcome: 'rejected', reason, coupon }
}

/** The smallest of 1, 2, 3 … that none of the pieces has. */
function freeSlot(held: Holdings): number {
  let slot = 1
  while (held.some((each) => each.slot === slot)) slot++
  return slot
}
