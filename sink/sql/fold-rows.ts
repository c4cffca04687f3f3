/** Results folded into the rows they change: pure, so that a batch is one statement a table. */
import type { CouponResult, CouponSnapshot } from '#domain/coupon'
import { CouponFold, claimIdOf, required } from '../results.ts'
import type { StockLevel } from '../results.ts'

/** Times in ms since the epoch. */
interface IssueRow {
  readonly claimId: string
  readonly couponId: string
  readonly userId: string
  readonly sequence: number
  readonly slot: number
  readonly issuedAt: number
  cancelledAt: number | null
}

interface RejectionRow {
  readonly claimId: string
  readonly couponId: string
  readonly userId: string
  readonly reason: string
  readonly rejectedAt: number
}

interface CancellationRow {
  readonly claimId: string
  readonly cancelledAt: number
}

export interface RowChanges {
  readonly coupons: readonly CouponSnapshot[]
  readonly levels: readonly StockLevel[]
  /** Of claims issued before this batch. */
  readonly cancellations: readonly CancellationRow[]
  /** Claims issued in this batch; those given back within it carry `cancelledAt`. */
  readonly issues: readonly IssueRow[]
  readonly rejections: readonly RejectionRow[]
}

export interface FoldOptions {
  /** Version of the topics, a part of every claim id. */
  readonly topicVersion: number
  /** Rejections decided before this instant (ms) are past their retention and leave no row. */
  readonly rejectedSince: number
}

/** @param results in log order per coupon. A `repeat` changes nothing: the first command under its key did. */
export function foldRows(results: readonly CouponResult[], options: FoldOptions): RowChanges {
  const coupons = new CouponFold()
  const issues = new Map<string, IssueRow>()
  const cancellations: CancellationRow[] = []
  const rejections: RejectionRow[] = []
  for (const result of results) {
    const { couponId, userId, decidedAt } = result
    coupons.add(result)
    if (result.outcome === 'issued') {
      const claimId = claimIdOf(result, options.topicVersion)
      const sequence = required(result, 'sequence')
      const slot = required(result, 'slot')
      issues.set(claimId, {
        claimId,
        couponId,
        userId,
        sequence,
        slot,
        issuedAt: decidedAt,
        cancelledAt: null,
      })
    } else if (result.outcome === 'cancelled') {
      const claimId = required(result, 'claimId')
      const issue = issues.get(claimId)
      if (issue === undefined) cancellations.push({ claimId, cancelledAt: decidedAt })
      else issue.cancelledAt = decidedAt
    } else if (result.outcome === 'rejected' && result.command === 'issue') {
      if (decidedAt < options.rejectedSince) continue
      const claimId = claimIdOf(result, options.topicVersion)
      rejections.push({
        claimId,
        couponId,
        userId,
        reason: required(result, 'reason'),
        rejectedAt: decidedAt,
      })
    }
  }
  return {
    coupons: coupons.coupons(),
    levels: coupons.levels(),
    cancellations,
    issues: [...issues.values()],
    rejections,
  }
}
