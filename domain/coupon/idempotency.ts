/**
 * The memory of Idempotency-Keys, for `retentionMs` of log time, as sets in buckets of that length: a key younger than
 * the retention is in the current bucket or the one before, and everything older goes with its whole bucket.
 */
import { int64, readerOf, setStore, utf8 } from '#topology'
import type { Serde, SetStore, SetStoreSpec } from '#topology'
import type { FirstOutcome, Outcome, RejectReason } from './messages.ts'
import type { Remembered } from './rules.ts'

export const defaultIdempotencyRetentionMs = 24 * 60 * 60 * 1000

/** The places of names in these lists are on disk: append only. */
const outcomes: readonly Exclude<Outcome, 'repeat'>[] = [
  'issued',
  'cancelled',
  'done',
  'unchanged',
  'rejected',
]
const reasons: readonly RejectReason[] = [
  'unknown-coupon',
  'coupon-exists',
  'closed',
  'ended',
  'paused',
  'not-started',
  'limit-reached',
  'sold-out',
  'stock-limit',
  'not-issued',
  'idempotency-key-reused',
  'internal-error',
]

/** u8 outcome, u8 reason + 1 or 0, varints sequence or 0, offset, decidedAt, 8 bytes nonce, text fingerprint. */
export const rememberedSerde: Serde<Remembered> = {
  name: 'coupon-idempotency',
  write({ fingerprint, first }, out) {
    out.u8(outcomes.indexOf(first.outcome))
    out.u8(first.reason === undefined ? 0 : reasons.indexOf(first.reason) + 1)
    out.uvarint(first.sequence ?? 0)
    out.uvarint(first.offset)
    out.varint(first.decidedAt)
    out.u32(Number.parseInt(first.nonce.slice(0, 8), 16))
    out.u32(Number.parseInt(first.nonce.slice(8), 16))
    out.text(fingerprint)
  },
  read(buffer, start, end) {
    const reader = readerOf(buffer, start, end)
    const outcome = outcomes[reader.u8()] as FirstOutcome['outcome']
    const reason = reasons[reader.u8() - 1]
    const sequence = reader.uvarint()
    const offset = reader.uvarint()
    const decidedAt = reader.varint()
    const nonce = reader.view(8).toString('hex')
    const fingerprint = reader.text()
    const first = {
      offset,
      nonce,
      outcome,
      ...(reason === undefined ? {} : { reason }),
      ...(sequence === 0 ? {} : { sequence }),
      decidedAt,
    }
    return { fingerprint, first }
  },
}

/** Bucket number → coupon and key → the first command under it. */
export const idempotencyStore: SetStoreSpec<number, string, Remembered> = setStore({
  name: 'idempotency',
  key: int64,
  member: utf8,
  value: rememberedSerde,
})

export class IdempotencyMemory {
  readonly #store: SetStore<number, string, Remembered>
  readonly #retentionMs: number
  /** The bucket up to which old ones were dropped in this life of the task; only saves looking again. */
  #sweptAt: number | undefined

  constructor(store: SetStore<number, string, Remembered>, retentionMs: number) {
    this.#store = store
    this.#retentionMs = retentionMs
  }

  /** `now`: stream time. A key is remembered while `now` is less than its decision plus the retention. */
  recall(couponId: string, key: string, now: number): Remembered | undefined {
    const bucket = this.#bucketOf(now)
    const member = memberOf(couponId, key)
    const found = this.#store.get(bucket, member) ?? this.#store.get(bucket - 1, member)
    return found !== undefined && now - found.first.decidedAt < this.#retentionMs ? found : undefined
  }

  remember(couponId: string, key: string, remembered: Remembered): void {
    const bucket = this.#bucketOf(remembered.first.decidedAt)
    this.#store.add(bucket, memberOf(couponId, key), remembered)
  }

  /**
   * Drops the buckets that nothing can be recalled from any more; costs nothing while time stays in one bucket. If
   * the record of a sweep is rolled back, the next bucket's sweep drops what this one did not.
   */
  sweep(now: number): void {
    const bucket = this.#bucketOf(now)
    if (bucket === this.#sweptAt) return
    const old: number[] = []
    for (const key of this.#store.keys()) if (key < bucket - 1) old.push(key)
    for (const key of old) this.#store.drop(key)
    this.#sweptAt = bucket
  }

  #bucketOf(time: number): number {
    return Math.floor(time / this.#retentionMs)
  }
}

/** Ids hold no space, so a coupon and a key cannot be told apart wrongly. */
function memberOf(couponId: string, key: string): string {
  return couponId + ' ' + key
}
