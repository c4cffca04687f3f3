/**
 * How long results are kept. A mark a time slot says which command was the first decided in it, so that pruning finds
 * its end without reading a result.
 */
import { readI64, writeI64 } from '#core'
import type { RocksBatch, RocksDatabase } from '#core'
import { batchKey, cancelledKey, timeMarkKey } from './view-keys.ts'

const slotsPerRetention = 100

export class Retention {
  readonly #db: RocksDatabase
  readonly #retentionMs: number
  readonly #slotMs: number
  /** By partition the last slot with a mark. */
  readonly #marked = new Map<number, number>()

  constructor(db: RocksDatabase, retentionMs: number) {
    this.#db = db
    this.#retentionMs = retentionMs
    this.#slotMs = Math.max(1, Math.floor(retentionMs / slotsPerRetention))
  }

  isOver(decidedAt: number, now: number): boolean {
    return decidedAt + this.#retentionMs <= now
  }

  /** `first`: offset of the first command of a batch whose last one was decided at `decidedAt`. */
  mark(write: RocksBatch, partition: number, first: number, decidedAt: number): void {
    const slot = Math.max(0, Math.floor(decidedAt / this.#slotMs))
    if (slot <= (this.#marked.get(partition) ?? -1)) return
    this.#marked.set(partition, slot)
    const key = timeMarkKey(partition, slot)
    // After a restart the slot may have its mark already; the first one stands.
    if (this.#db.get(key) !== undefined) return
    const value = Buffer.alloc(8)
    writeI64(value, 0, first)
    write.put(key, value)
  }

  /** Commands below it were decided before the retention began. `decided`: the end of all decided ones. */
  expiredBelow(partition: number, now: number, decided: number): number {
    const slot = this.#firstKeptSlot(now)
    const cursor = this.#db.scan({
      gte: timeMarkKey(partition, slot),
      lt: timeMarkKey(partition + 1, 0),
      limit: 1,
    })
    const found = cursor.next(1)[0]
    cursor.close()
    return found === undefined ? decided : readI64(found[1], 0)
  }

  async delete(partition: number, below: number, now: number): Promise<void> {
    const slot = this.#firstKeptSlot(now)
    await this.#db.deleteRange({ gte: batchKey(partition, 0), lt: batchKey(partition, below) })
    await this.#db.deleteRange({ gte: cancelledKey(partition, 0), lt: cancelledKey(partition, below) })
    await this.#db.deleteRange({ gte: timeMarkKey(partition, 0), lt: timeMarkKey(partition, slot) })
  }

  /** Every decision in an earlier slot is older than the retention. */
  #firstKeptSlot(now: number): number {
    return Math.max(0, Math.floor((now - this.#retentionMs) / this.#slotMs))
  }
}
