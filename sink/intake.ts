/** Results off the log in bounded batches, each with the offsets it moves. */
import type { Clock } from '#core'
import type { CouponResult } from '#domain/coupon'
import type { FetchedRecords, Reader, RecordCursor } from '#log'
import { readResult } from './results.ts'

/** One partition's part of a batch. */
export interface OffsetStep {
  readonly partition: number
  /** Where the store stands before the batch; inclusive. */
  readonly from: number
  /** Where it stands after it; exclusive end. */
  readonly to: number
}

export interface ResultBatch {
  readonly steps: readonly OffsetStep[]
  /** In log order per partition. */
  readonly results: readonly CouponResult[]
}

export interface TakeOptions {
  /** Most results in a batch. */
  readonly resultsMax: number
  /** How long a batch that is not full waits for more, milliseconds. */
  readonly lingerMs: number
  /** How long to wait for a first result, milliseconds. */
  readonly idleMs: number
  /** Exclusive end of what may be taken of a partition; left out: everything. */
  readonly limit?: (partition: number) => number
  readonly signal: AbortSignal
}

/** Fetched records of a partition, and how far they are consumed. */
interface Piece {
  readonly fetched: FetchedRecords
  readonly cursor: RecordCursor
  /** The cursor stands on a record that is not consumed yet. */
  waiting: boolean
}

export class Intake {
  readonly #reader: Reader
  readonly #topic: string
  readonly #clock: Clock
  /** A partition with records at hand is paused, so what is held stays within one poll's bytes. */
  readonly #pieces = new Map<number, Piece>()
  #positions: number[] = []

  constructor(reader: Reader, topic: string, clock: Clock) {
    this.#reader = reader
    this.#topic = topic
    this.#clock = clock
  }

  /** Starts over from these offsets, one a partition. */
  reset(positions: readonly number[]): void {
    for (const partition of this.#pieces.keys()) this.#reader.resume({ topic: this.#topic, partition })
    this.#pieces.clear()
    this.#positions = [...positions]
    for (const [partition, offset] of positions.entries()) {
      this.#reader.seek({ topic: this.#topic, partition }, offset)
    }
  }

  /** Everything below it has been taken; past control, aborted and compacted records too. */
  reached(partition: number): number {
    const taken = this.#positions[partition] ?? 0
    if (this.#pieces.has(partition)) return taken
    return Math.max(taken, this.#reader.position({ topic: this.#topic, partition }) ?? 0)
  }

  /**
   * The next batch; without steps when nothing came within `idleMs`.
   * After an error what was taken is lost: `reset` first.
   */
  async take(options: TakeOptions): Promise<ResultBatch> {
    const { resultsMax, lingerMs, idleMs, limit, signal } = options
    const results: CouponResult[] = []
    const moved = new Map<number, number>()
    let until: number | undefined
    while (!signal.aborted) {
      for (const partition of this.#pieces.keys()) {
        this.#drain(partition, limit?.(partition) ?? Number.POSITIVE_INFINITY, resultsMax, results, moved)
      }
      if (results.length >= resultsMax) break
      const now = this.#clock.now()
      if (moved.size > 0) until ??= now + lingerMs
      if (until !== undefined && now >= until) break
      const fetched = await this.#reader.poll(until === undefined ? idleMs : until - now)
      for (const records of fetched) this.#keep(records)
      if (fetched.length === 0 && until === undefined && limit === undefined) break
      // With a limit a wake-up may also mean that the limit has moved: look once more before giving up.
      if (fetched.length === 0 && until === undefined && !this.#mayGoOn(limit)) break
    }
    const steps = Array.from(moved, ([partition, from]) => ({
      partition,
      from,
      to: this.#positions[partition] ?? 0,
    }))
    return { steps: steps.toSorted((one, other) => one.partition - other.partition), results }
  }

  #mayGoOn(limit: TakeOptions['limit']): boolean {
    for (const [partition, { cursor, waiting }] of this.#pieces) {
      if (waiting && limit !== undefined && cursor.offset < limit(partition)) return true
    }
    return false
  }

  #keep(fetched: FetchedRecords): void {
    const { topic, partition } = fetched
    this.#reader.pause({ topic, partition })
    this.#pieces.set(partition, { fetched, cursor: fetched.cursor(), waiting: false })
  }

  #drain(
    partition: number,
    limit: number,
    resultsMax: number,
    results: CouponResult[],
    moved: Map<number, number>,
  ): void {
    const piece = this.#pieces.get(partition)
    if (piece === undefined) return
    const { fetched, cursor } = piece
    const start = this.#positions[partition] ?? 0
    let reached = start
    while (results.length < resultsMax) {
      if (!piece.waiting && !cursor.next()) {
        // Between the last record and here there is nothing but what readers never see.
        reached = Math.max(reached, Math.min(fetched.nextOffset, limit))
        this.#pieces.delete(partition)
        this.#reader.resume(fetched)
        break
      }
      piece.waiting = cursor.offset >= limit
      if (piece.waiting) break
      results.push(readResult(cursor, fetched))
      reached = cursor.offset + 1
    }
    if (reached === start) return
    this.#positions[partition] = reached
    if (!moved.has(partition)) moved.set(partition, start)
  }
}
