/**
 * Which command was the first under an Idempotency-Key, for as long as the processor remembers it too. Keys lie in
 * buckets as long as the retention, so a look-up asks two of them and old ones go whole.
 */
import type { RocksBatch, RocksDatabase } from '#core'
import type { CouponResult } from '#domain/coupon'
import { idempotencyBucketKey, idempotencyKey } from './view-keys.ts'

export interface KeyedCommand {
  readonly partition: number
  readonly offset: number
  readonly decidedAt: number
}

export class IdempotencyKeys {
  readonly #db: RocksDatabase
  readonly #retentionMs: number

  constructor(db: RocksDatabase, retentionMs: number) {
    this.#db = db
    // Bucket numbers are 32 bits wide, which seconds do not fill before the year 2106.
    this.#retentionMs = Math.max(1000, retentionMs)
  }

  add(write: RocksBatch, result: CouponResult): void {
    if (result.idempotencyKey === undefined || !isRemembered(result)) return
    const { partition, offset, decidedAt } = result
    const key = idempotencyKey(this.#bucketOf(decidedAt), result.couponId, result.idempotencyKey)
    write.put(key, Buffer.from(JSON.stringify({ partition, offset, decidedAt } satisfies KeyedCommand)))
  }

  find(couponId: string, key: string, now: number): KeyedCommand | undefined {
    const bucket = this.#bucketOf(now)
    // The log's clock may be ahead of ours, hence the next bucket.
    const buckets = [bucket + 1, bucket, bucket - 1].filter((each) => each >= 0)
    for (const stored of this.#db.getMany(buckets.map((each) => idempotencyKey(each, couponId, key)))) {
      if (stored === undefined) continue
      const found = JSON.parse(stored.toString()) as KeyedCommand
      return now - found.decidedAt < this.#retentionMs ? found : undefined
    }
    return undefined
  }

  async prune(now: number): Promise<void> {
    const oldest = this.#bucketOf(now) - 1
    if (oldest <= 0) return
    await this.#db.deleteRange({ gte: idempotencyBucketKey(0), lt: idempotencyBucketKey(oldest) })
  }

  #bucketOf(time: number): number {
    return Math.max(0, Math.floor(time / this.#retentionMs))
  }
}

/** What the processor remembers too: not what it could not decide, nor what a reused key asked for. */
function isRemembered({ outcome, reason }: CouponResult): boolean {
  if (outcome === 'repeat') return false
  return reason !== 'unknown-coupon' && reason !== 'idempotency-key-reused' && reason !== 'internal-error'
}
