/** Results as they come off the log. */
import { messageOf } from '#core'
import { formatClaimId, resultSerde } from '#domain/coupon'
import type { CouponResult, CouponSnapshot } from '#domain/coupon'
import type { RecordCursor, TopicPartition } from '#log'
import { sinkError } from './errors.ts'

/** Errors: SINK_RECORD_UNREADABLE. */
export function readResult(cursor: RecordCursor, partition: TopicPartition): CouponResult {
  const { buffer, valueStart, valueEnd, offset } = cursor
  try {
    if (valueEnd < valueStart) throw new RangeError('it has no value')
    return resultSerde.read(buffer, valueStart, valueEnd)
  } catch (error) {
    throw unreadable(`${partition.topic}-${partition.partition} offset ${offset}`, messageOf(error), error)
  }
}

/** A member that results of this outcome always have. Errors: SINK_RECORD_UNREADABLE. */
export function required<K extends 'sequence' | 'slot' | 'claimId' | 'reason'>(
  result: CouponResult,
  member: K,
): Exclude<CouponResult[K], undefined> {
  const value: CouponResult[K] = result[member]
  if (value === undefined) {
    const where = `of the command at partition ${result.partition}, offset ${result.offset}`
    throw unreadable(where, `a result "${result.outcome}" without ${member}`)
  }
  return value as Exclude<CouponResult[K], undefined>
}

function unreadable(where: string, why: string, cause?: unknown): Error {
  return sinkError(
    'SINK_RECORD_UNREADABLE',
    `The result ${where} cannot be read: ${why}. Skipping it would make the stores wrong, so the sink stops. ` +
      'Only the processor may write this topic; use a Millrace at least as new as the one that wrote it.',
    { cause, context: { where } },
  )
}

/** The id of the claim whose command this result decided. */
export function claimIdOf(
  result: Pick<CouponResult, 'nonce' | 'partition' | 'offset'>,
  topicVersion: number,
): string {
  const { nonce, partition, offset } = result
  return formatClaimId({ nonce, version: topicVersion, partition, offset })
}

/** What is left of a coupon's stock as of a version. Versions of a coupon never go back. */
export interface StockLevel {
  readonly couponId: string
  readonly remaining: number
  readonly version: number
}

/** The newest word on each coupon within a batch of results. */
export class CouponFold {
  readonly #snapshots = new Map<string, CouponSnapshot>()
  readonly #levels = new Map<string, StockLevel>()

  add(result: CouponResult): void {
    const { couponId, coupon, remaining, version } = result
    if (coupon !== undefined && coupon.version >= (this.#snapshots.get(couponId)?.version ?? 0)) {
      this.#snapshots.set(couponId, coupon)
    }
    if (version === undefined || remaining === undefined) return
    if (version >= (this.#levels.get(couponId)?.version ?? 0)) {
      this.#levels.set(couponId, { couponId, remaining, version })
    }
  }

  /** Whole coupons: those with an operator's command in the batch, brought up to its last version. */
  coupons(): CouponSnapshot[] {
    return Array.from(this.#snapshots.values(), (snapshot) => {
      const level = this.#levels.get(snapshot.couponId)
      if (level === undefined || level.version <= snapshot.version) return snapshot
      return { ...snapshot, remaining: level.remaining, version: level.version }
    })
  }

  /** Coupons of which only the stock moved. */
  levels(): StockLevel[] {
    return [...this.#levels.values()].filter(({ couponId }) => !this.#snapshots.has(couponId))
  }
}
