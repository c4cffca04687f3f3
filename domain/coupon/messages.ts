/**
 * What is said on the three public topics, as plain data. Times are milliseconds since the Unix epoch.
 *
 * `coupon-issue` carries commands, `coupon-result` one result for every command, `coupon-status` the coupon after
 * every change of what a gateway answers. All are keyed by the coupon id, so a coupon has one total order.
 */

export type Discount =
  | { readonly percent: number }
  /** `currency`: ISO 4217; `amount` in its minor unit. */
  | { readonly amount: number; readonly currency: string }

/** What an operator decides when opening a coupon, after defaults. */
export interface OpeningTerms {
  /** Pieces to give away, 0 … 1e12. */
  readonly stock: number
  readonly name: string | null
  /** Pieces one user may hold, 1 … 1000. */
  readonly perUserLimit: number
  /** First instant at which claims are granted, inclusive; null: at once. */
  readonly startsAt: number | null
  /** First instant at which they are not any more, exclusive; null: never. */
  readonly endsAt: number | null
  readonly discount: Discount | null
  /** Until when an issued coupon can be redeemed; information for others, not checked here. */
  readonly validUntil: number | null
}

interface CommandBase {
  readonly couponId: string
  /** Who asked: the user's id, or the operator's name. */
  readonly by: string
  /** 64 random bits in hex: makes the claim id unguessable. */
  readonly nonce: string
  readonly idempotencyKey?: string
}

export interface OpenCommand extends CommandBase {
  readonly command: 'open'
  readonly terms: OpeningTerms
}
export interface RestockCommand extends CommandBase {
  readonly command: 'restock'
  readonly add: number
}
export interface SwitchCommand extends CommandBase {
  readonly command: 'pause' | 'resume' | 'close'
}
export interface IssueCommand extends CommandBase {
  readonly command: 'issue'
  readonly userId: string
}
export interface CancelCommand extends CommandBase {
  readonly command: 'cancel'
  readonly userId: string
  /** The claim to give back. */
  readonly claimId: string
}

export type CouponCommand = OpenCommand | RestockCommand | SwitchCommand | IssueCommand | CancelCommand
export type CommandName = CouponCommand['command']

/** Why a command was refused. A gateway's gate uses the same codes. */
export type RejectReason =
  | 'unknown-coupon'
  | 'coupon-exists'
  | 'closed'
  | 'ended'
  | 'paused'
  | 'not-started'
  | 'limit-reached'
  | 'sold-out'
  | 'stock-limit'
  | 'not-issued'
  | 'idempotency-key-reused'
  | 'internal-error'

/**
 * What became of a command. `issued` and `cancelled` are of claims; `done` and `unchanged` of operators' commands
 * (`unchanged`: it was so already); `repeat` says that the Idempotency-Key was seen before, see `first`.
 */
export type Outcome = 'issued' | 'cancelled' | 'done' | 'unchanged' | 'rejected' | 'repeat'

/** A coupon as everybody may see it. */
export interface CouponSnapshot extends OpeningTerms {
  readonly couponId: string
  /** stock = all ever put in, restocks included. */
  readonly stock: number
  /** stock - pieces held now. */
  readonly remaining: number
  readonly paused: boolean
  readonly closed: boolean
  readonly openedAt: number
  /** Grows by one with every change, issues included. */
  readonly version: number
}

/** Where the first command under an Idempotency-Key was, and what became of it. */
export interface FirstOutcome {
  readonly offset: number
  readonly nonce: string
  readonly outcome: Exclude<Outcome, 'repeat'>
  readonly reason?: RejectReason
  readonly sequence?: number
  readonly decidedAt: number
}

/** One for every command, in the partition number of the command, in the order of the commands. */
export interface CouponResult {
  /** Partition and offset of the command on `coupon-issue`. */
  readonly partition: number
  readonly offset: number
  readonly nonce: string
  readonly command: CommandName
  readonly outcome: Outcome
  readonly couponId: string
  /** The claiming user, or who gave the operator's command. */
  readonly userId: string
  readonly reason?: RejectReason
  /** The place among all ever issued, from 1; on `issued` and `cancelled`. */
  readonly sequence?: number
  /** Which of the user's pieces this is, from 1 to perUserLimit; on `issued`. */
  readonly slot?: number
  /** The sequences the user holds; on `limit-reached`. */
  readonly sequences?: readonly number[]
  /** The claim given back; on `cancelled`. */
  readonly claimId?: string
  readonly idempotencyKey?: string
  readonly first?: FirstOutcome
  /** Stream time of the decision. */
  readonly decidedAt: number
  /** Pieces left and version after this command; absent where the coupon is unknown. */
  readonly remaining?: number
  readonly version?: number
  /** The whole coupon after an operator's command that was `done` or `unchanged`, or `coupon-exists`. */
  readonly coupon?: CouponSnapshot
}

/** The latest word on a coupon's gate. */
export interface CouponStatus extends CouponSnapshot {
  /** The command that changed it. */
  readonly partition: number
  readonly offset: number
}

/** Limits of the contract (design §8). */
export const limits = {
  stockMax: 1e12,
  addMax: 1e12,
  perUserLimitMax: 1000,
  nameLengthMax: 200,
  idLengthMax: 128,
} as const

/** Names of the public topics. The version grows when partitions do: `coupon-issue.v2`. */
export interface CouponTopics {
  readonly version: number
  readonly issue: string
  readonly result: string
  readonly status: string
}

export function couponTopics(
  options: { readonly prefix?: string; readonly version?: number } = {},
): CouponTopics {
  const { prefix = '', version = 1 } = options
  const suffix = version === 1 ? '' : `.v${version}`
  return {
    version,
    issue: `${prefix}coupon-issue${suffix}`,
    result: `${prefix}coupon-result${suffix}`,
    status: `${prefix}coupon-status${suffix}`,
  }
}
