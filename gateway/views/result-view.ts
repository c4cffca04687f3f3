/**
 * What became of every claim: this gateway's fold of `coupon-result`, on disk.
 *
 * Results of a partition come in the order of their commands, one for each readable command, so a batch is stored as
 * it was fetched under the first command it decides, and a claim is found by its offset. Following costs one put a
 * batch and a walk over the keys; values are read only where a batch holds keys, operators' results or cancels, or
 * where somebody waits.
 */
import { messageOf } from '#core'
import type { Clock, Logger, RocksBatch, RocksDatabase } from '#core'
import { RecordCursor, filterBatch } from '#log'
import type { FetchedRecords } from '#log'
import { parseClaimId, peekCounts, peekResult, resultSerde } from '#domain/coupon'
import type { CouponResult, ResultPeek } from '#domain/coupon'
import type { CouponView, StoredCoupon } from './coupon-view.ts'
import { foldCounts } from './fold-counts.ts'
import { IdempotencyKeys } from './idempotency-keys.ts'
import type { KeyedCommand } from './idempotency-keys.ts'
import { ResultBatches } from './result-batches.ts'
import { Retention } from './retention.ts'
import { batchKey, cancelledKey, couponKey, couponPrefix, placeOf, positionKey } from './view-keys.ts'
import type { Waiters } from './waiters.ts'

/** Of one partition. All are exclusive ends. */
interface Position {
  /** Next offset of `coupon-result` to read. */
  reading: number
  /** Commands below it are decided. */
  decided: number
  /** Results of commands below it are no longer kept. */
  expired: number
  /** Counts of results of commands below it are in the stored coupons. */
  folded: number
  /** Stream time of the last decision. */
  decidedAt: number
}

export type Found =
  | { readonly kind: 'decided'; readonly result: CouponResult }
  /** `ahead`: how many commands are decided before it. */
  | { readonly kind: 'pending'; readonly ahead: number }
  | { readonly kind: 'expired' }
  /** There never was a readable command at this offset. */
  | { readonly kind: 'none' }

export interface ResultViewOptions {
  readonly partitions: number
  readonly coupons: CouponView
  readonly waiters: Waiters
  readonly clock: Clock
  readonly logger: Logger
  readonly resultRetentionMs: number
  readonly idempotencyRetentionMs: number
  /** Called for every result with an Idempotency-Key once it can be looked up. */
  readonly onKeyed: (couponId: string, idempotencyKey: string, partition: number, offset: number) => void
}

/** Offsets of the first and the last command decided in a batch, both inclusive, and when the last one was. */
interface BatchRange {
  readonly first: number
  readonly last: number
  readonly decidedAt: number
}

const storeCouponsEveryMs = 1000

export class ResultView {
  readonly #db: RocksDatabase
  readonly #options: ResultViewOptions
  readonly #positions: Position[]
  readonly #batches: ResultBatches
  readonly #keys: IdempotencyKeys
  readonly #retention: Retention
  readonly #peek: ResultPeek = {
    partition: 0,
    offset: 0,
    command: 'issue',
    outcome: 'issued',
    hasIdempotencyKey: false,
  }
  readonly #gaps = new Set<number>()
  #couponsStoredAt = 0

  constructor(db: RocksDatabase, options: ResultViewOptions) {
    this.#db = db
    this.#options = options
    this.#batches = new ResultBatches(db)
    this.#keys = new IdempotencyKeys(db, options.idempotencyRetentionMs)
    // A key may answer with its first outcome for as long as it is remembered, so results live at least as long.
    this.#retention = new Retention(db, Math.max(options.resultRetentionMs, options.idempotencyRetentionMs))
    this.#positions = Array.from({ length: options.partitions }, (_, partition) => {
      const stored = db.get(positionKey(partition))
      return stored === undefined
        ? { reading: 0, decided: 0, expired: 0, folded: 0, decidedAt: 0 }
        : (JSON.parse(stored.toString()) as Position)
    })
    this.#restoreCoupons()
  }

  /** Next offset of `coupon-result` to read. */
  readingPosition(partition: number): number {
    return this.#position(partition).reading
  }

  /** Commands below it are decided, as far as this gateway knows. */
  decidedPosition(partition: number): number {
    return this.#position(partition).decided
  }

  /** Stream time of the last decision, milliseconds; 0 before the first. */
  lastDecidedAt(partition: number): number {
    return this.#position(partition).decidedAt
  }

  find(partition: number, offset: number): Found {
    const position = this.#position(partition)
    if (offset >= position.decided) return { kind: 'pending', ahead: offset - position.decided }
    if (offset < position.expired) return { kind: 'expired' }
    const place = this.#batches.find(partition, offset)
    if (place === undefined) return { kind: 'none' }
    return { kind: 'decided', result: resultSerde.read(place.buffer, place.start, place.end) }
  }

  /** Whether the claim decided at this position was given back later. */
  isCancelled(partition: number, offset: number): boolean {
    return this.#db.get(cancelledKey(partition, offset)) !== undefined
  }

  /** The first command under a key, while the key is remembered. */
  firstUnder(couponId: string, idempotencyKey: string): KeyedCommand | undefined {
    return this.#keys.find(couponId, idempotencyKey, this.#options.clock.now())
  }

  /**
   * Takes over what a poll brought of one partition: stored in one write, then visible, then told to those who wait.
   * Errors: ROCKSDB_FAILED; the position then stands where it was.
   */
  apply(fetched: FetchedRecords): void {
    const { partition } = fetched
    const write = this.#db.batch()
    const position = { ...this.#position(partition), reading: fetched.nextOffset }
    const stored: { first: number; batch: Buffer }[] = []
    const awaited: CouponResult[] = []
    const keyed: CouponResult[] = []
    let gap = this.#gaps.has(partition)
    for (const whole of fetched.batches) {
      const walked = this.#walkReadable(whole, fetched, write, awaited, keyed)
      if (walked === undefined) continue
      const { batch, range } = walked
      if (gap) position.expired = Math.max(position.expired, range.first)
      gap = false
      position.decided = range.last + 1
      position.decidedAt = range.decidedAt
      if (this.#retention.isOver(range.decidedAt, this.#options.clock.now())) {
        position.expired = position.decided
        continue
      }
      write.put(batchKey(partition, range.first), batch)
      this.#retention.mark(write, partition, range.first, range.decidedAt)
      stored.push({ first: range.first, batch })
    }
    this.#write(write, partition, position)
    if (!gap) this.#gaps.delete(partition)
    for (const { first, batch } of stored) this.#batches.add(partition, first, batch)
    for (const { couponId, idempotencyKey, offset } of keyed) {
      this.#options.onKeyed(couponId, idempotencyKey ?? '', partition, offset)
    }
    for (const result of awaited) this.#options.waiters.resolve(result)
  }

  /** The topic no longer has what comes next: results up to the first one read from now on will never be known. */
  noteGap(partition: number): void {
    this.#gaps.add(partition)
  }

  /** Deletes what is older than the retentions. */
  async prune(): Promise<void> {
    const now = this.#options.clock.now()
    for (let partition = 0; partition < this.#positions.length; partition++) {
      const position = this.#position(partition)
      const expired = this.#retention.expiredBelow(partition, now, position.decided)
      if (expired <= position.expired) continue
      // First the word that they are gone, then the deletion: a crash between the two only leaves space in use.
      this.#write(this.#db.batch(), partition, { ...position, expired })
      await this.#retention.delete(partition, expired, now)
    }
    await this.#keys.prune(now)
  }

  async close(): Promise<void> {
    this.#storeCoupons()
    await this.#db.close()
  }

  #position(partition: number): Position {
    return this.#positions[partition] as Position
  }

  /** The batch without what nobody can read (only the processor writes here, but the topic is public). */
  #walkReadable(
    batch: Buffer,
    fetched: FetchedRecords,
    write: RocksBatch,
    awaited: CouponResult[],
    keyed: CouponResult[],
  ): { batch: Buffer; range: BatchRange } | undefined {
    try {
      const range = this.#walk(batch, fetched, write, awaited, keyed)
      return range === undefined ? undefined : { batch, range }
    } catch (error) {
      const { topic, partition } = fetched
      this.#options.logger.error(
        { topic, partition, error: messageOf(error) },
        'A result cannot be read; it is left out.',
      )
      const readable = filterBatch(batch, isReadable)
      const range = readable === undefined ? undefined : this.#walk(readable, fetched, write, awaited, keyed)
      return readable === undefined || range === undefined ? undefined : { batch: readable, range }
    }
  }

  /** Reads of a batch what must be known at once; undefined when it holds nothing new. */
  #walk(
    batch: Buffer,
    fetched: FetchedRecords,
    write: RocksBatch,
    awaited: CouponResult[],
    keyed: CouponResult[],
  ): BatchRange | undefined {
    const { waiters, coupons } = this.#options
    const { partition } = fetched
    const somebodyWaits = waiters.any(partition)
    const special = batch.includes(keyMember) || batch.includes(couponMember) || batch.includes(cancelMember)
    const cursor = new RecordCursor([batch], fetched.startOffset)
    const peek = this.#peek
    let first = -1
    let lastStart = 0
    let lastEnd = 0
    while (cursor.next()) {
      const { buffer, valueStart, valueEnd } = cursor
      lastStart = valueStart
      lastEnd = valueEnd
      if (first >= 0 && !special && !somebodyWaits) continue
      checkedOffset(peekResult(buffer, valueStart, valueEnd, peek))
      if (first < 0) first = peek.offset
      if (somebodyWaits && waiters.has(partition, peek.offset)) {
        awaited.push(resultSerde.read(buffer, valueStart, valueEnd))
      }
      if (special && (peek.hasIdempotencyKey || peek.command !== 'issue')) {
        this.#applySpecial(resultSerde.read(buffer, valueStart, valueEnd), write, keyed)
      }
    }
    if (first < 0) return undefined
    const last = checkedOffset(peekResult(batch, lastStart, lastEnd, peek))
    foldCounts(batch, fetched.startOffset, coupons)
    return { first, last, decidedAt: peekCounts(batch, lastStart, lastEnd).decidedAt }
  }

  #applySpecial(result: CouponResult, write: RocksBatch, keyed: CouponResult[]): void {
    if (result.coupon !== undefined) {
      this.#options.coupons.applySnapshot(result.coupon, result.partition, result.offset)
    }
    if (result.outcome === 'cancelled' && result.claimId !== undefined) {
      const claim = parseClaimId(result.claimId)
      if (claim !== undefined) write.put(cancelledKey(claim.partition, claim.offset), cancelledValue)
    }
    if (result.idempotencyKey !== undefined) {
      this.#keys.add(write, result)
      keyed.push(result)
    }
  }

  #write(write: RocksBatch, partition: number, position: Position): void {
    write.put(positionKey(partition), Buffer.from(JSON.stringify(position)))
    this.#db.write(write, { sync: false })
    this.#positions[partition] = position
    if (this.#options.clock.now() - this.#couponsStoredAt >= storeCouponsEveryMs) this.#storeCoupons()
  }

  /** Stores the coupons that changed, and with them that the counts of all partitions reach the decided positions. */
  #storeCoupons(): void {
    const { coupons, clock } = this.#options
    const write = this.#db.batch()
    for (const [couponId, coupon] of coupons.changed()) {
      write.put(couponKey(couponId), Buffer.from(JSON.stringify(coupon)))
    }
    const folded = this.#positions.map((position) => ({ ...position, folded: position.decided }))
    folded.forEach((position, partition) => {
      write.put(positionKey(partition), Buffer.from(JSON.stringify(position)))
    })
    this.#db.write(write, { sync: false })
    coupons.forgetChanged()
    folded.forEach((position, partition) => {
      this.#positions[partition] = position
    })
    this.#couponsStoredAt = clock.now()
  }

  /** Coupons as stored, then the counts of the batches that came after. */
  #restoreCoupons(): void {
    const { coupons } = this.#options
    for (const [key, value] of this.#db.scan({
      gte: couponPrefix,
      lt: Buffer.from([(couponPrefix[0] as number) + 1]),
    })) {
      const couponId = key.toString('utf8', couponPrefix.length)
      coupons.restore(couponId, JSON.parse(value.toString()) as StoredCoupon)
    }
    for (let partition = 0; partition < this.#positions.length; partition++) {
      const { folded, decided } = this.#position(partition)
      const range = { gte: batchKey(partition, folded), lt: batchKey(partition, decided) }
      for (const [key, batch] of this.#db.scan(range)) {
        this.#restoreSnapshots(batch)
        foldCounts(batch, 0, coupons)
        this.#batches.add(partition, placeOf(key), batch)
      }
    }
  }

  #restoreSnapshots(batch: Buffer): void {
    if (!batch.includes(couponMember)) return
    const cursor = new RecordCursor([batch])
    while (cursor.next()) {
      if (peekResult(cursor.buffer, cursor.valueStart, cursor.valueEnd, this.#peek).command === 'issue')
        continue
      const result = resultSerde.read(cursor.buffer, cursor.valueStart, cursor.valueEnd)
      if (result.coupon !== undefined) {
        this.#options.coupons.applySnapshot(result.coupon, result.partition, result.offset)
      }
    }
  }
}

/** JSON that is no result has no offset. */
function checkedOffset({ offset }: ResultPeek): number {
  if (Number.isSafeInteger(offset) && offset >= 0) return offset
  throw new RangeError('this is not the result of a command')
}

function isReadable(cursor: RecordCursor): boolean {
  try {
    resultSerde.read(cursor.buffer, cursor.valueStart, cursor.valueEnd)
    checkedOffset(peekResult(cursor.buffer, cursor.valueStart, cursor.valueEnd))
    return true
  } catch {
    return false
  }
}

// Texts that stand in a result only as members: inside a JSON string their quotes would be escaped.
const keyMember = Buffer.from('"idempotencyKey":')
const couponMember = Buffer.from('"coupon":{')
const cancelMember = Buffer.from('"command":"cancel"')
const cancelledValue = Buffer.from('1')
