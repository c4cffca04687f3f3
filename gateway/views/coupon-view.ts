/**
 * Every coupon in memory: the gate of the hot path, and what GET answers.
 *
 * It folds two things: whole coupons (from `coupon-status`, and from operators' results) and counts (pieces left and
 * version, from every result). They come by two topics, so either may be ahead of the other; versions only grow,
 * and the newer word wins in each, so what this view said it never takes back.
 */
import type { CouponSnapshot } from '#domain/coupon'

/** Pieces left as of a version, and the command that made it so. */
export interface CouponCounts {
  readonly version: number
  readonly remaining: number
  readonly partition: number
  readonly offset: number
}

export interface CouponEntry {
  readonly snapshot: CouponSnapshot
  /** The command that the snapshot reaches: what shut the gate is at or before it. */
  readonly partition: number
  readonly offset: number
}

interface Folded {
  base: CouponEntry | undefined
  counts: CouponCounts | undefined
  entry: CouponEntry | undefined
}

/** What survives a restart, so that counts do not go back to the last status. */
export interface StoredCoupon {
  readonly base?: CouponEntry
  readonly counts?: CouponCounts
}

export class CouponView {
  readonly #coupons = new Map<string, Folded>()
  readonly #dirty = new Set<string>()
  #sortedIds: readonly string[] | undefined

  /** Coupons that can be shown. */
  get size(): number {
    return this.#ids().length
  }

  get(couponId: string): CouponEntry | undefined {
    return this.#coupons.get(couponId)?.entry
  }

  /** The whole coupon as of a command. Older ones change nothing. */
  applySnapshot(snapshot: CouponSnapshot, partition: number, offset: number): void {
    const folded = this.#folded(snapshot.couponId)
    if (folded.base !== undefined && folded.base.snapshot.version >= snapshot.version) return
    folded.base = { snapshot, partition, offset }
    this.#changed(snapshot.couponId, folded)
  }

  applyCounts(couponId: string, counts: CouponCounts): void {
    const folded = this.#folded(couponId)
    if (folded.counts !== undefined && folded.counts.version >= counts.version) return
    folded.counts = counts
    this.#changed(couponId, folded)
  }

  /** Shown coupons with an id after `after`, in the order of ids. */
  *after(after: string | undefined): Generator<CouponEntry> {
    const ids = this.#ids()
    let index = after === undefined ? 0 : upperBound(ids, after)
    for (; index < ids.length; index++) {
      const entry = this.get(ids[index] as string)
      if (entry !== undefined) yield entry
    }
  }

  /** What changed since `forgetChanged`, to be stored. */
  changed(): [couponId: string, stored: StoredCoupon][] {
    return Array.from(this.#dirty, (couponId): [string, StoredCoupon] => {
      const { base, counts } = this.#folded(couponId)
      return [
        couponId,
        { ...(base === undefined ? {} : { base }), ...(counts === undefined ? {} : { counts }) },
      ]
    })
  }

  forgetChanged(): void {
    this.#dirty.clear()
  }

  restore(couponId: string, stored: StoredCoupon): void {
    if (stored.base !== undefined) {
      this.applySnapshot(stored.base.snapshot, stored.base.partition, stored.base.offset)
    }
    if (stored.counts !== undefined) this.applyCounts(couponId, stored.counts)
    this.#dirty.delete(couponId)
  }

  #folded(couponId: string): Folded {
    let folded = this.#coupons.get(couponId)
    if (folded === undefined) {
      folded = { base: undefined, counts: undefined, entry: undefined }
      this.#coupons.set(couponId, folded)
    }
    return folded
  }

  #changed(couponId: string, folded: Folded): void {
    if (folded.entry === undefined) this.#sortedIds = undefined
    folded.entry = merged(folded)
    this.#dirty.add(couponId)
  }

  #ids(): readonly string[] {
    this.#sortedIds ??= Array.from(this.#coupons)
      .filter(([, folded]) => folded.entry !== undefined)
      .map(([couponId]) => couponId)
      // By code units, as the cursor compares; a locale would order differently on another machine.
      .toSorted((one, other) => (one < other ? -1 : one > other ? 1 : 0))
    return this.#sortedIds
  }
}

function merged({ base, counts }: Folded): CouponEntry | undefined {
  if (base === undefined || counts === undefined || counts.version <= base.snapshot.version) return base
  // Ahead of a restock not seen yet, more pieces can be left than the stock known: then the older word stands alone.
  if (counts.remaining > base.snapshot.stock) return base
  return {
    snapshot: { ...base.snapshot, remaining: counts.remaining, version: counts.version },
    partition: counts.partition,
    offset: counts.offset,
  }
}

/** Index of the first id greater than `id`. */
function upperBound(ids: readonly string[], id: string): number {
  let low = 0
  let high = ids.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ids[middle] as string) <= id) low = middle + 1
    else high = middle
  }
  return low
}
