import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeI64, RocksDatabase, silentLogger, systemClock } from '#core'
import { FetchedRecords, RecordBatchBuilder } from '#log'
import { resultSerde } from '#domain/coupon'
import type { CouponResult } from '#domain/coupon'
import { encode } from '#topology'
import { snapshot } from '../../domain/coupon/test-coupons.ts'
import { CouponView } from './coupon-view.ts'
import { ResultView } from './result-view.ts'
import { Waiters } from './waiters.ts'

let dir: string
let now: number
let view: ResultView
let db: RocksDatabase
let coupons: CouponView
let keyed: unknown[]
const clock = { ...systemClock, now: () => now }

async function openView(): Promise<void> {
  coupons = new CouponView()
  keyed = []
  db = await RocksDatabase.open(join(dir, 'view'))
  view = new ResultView(db, {
    partitions: 2,
    coupons,
    waiters: new Waiters(clock, 100),
    clock,
    logger: silentLogger,
    resultRetentionMs: 10_000,
    idempotencyRetentionMs: 5000,
    onKeyed: (...args) => keyed.push(args),
  })
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'millrace-view-'))
  now = 1_000_000
  await openView()
})
afterEach(async () => {
  await view.close()
  await rm(dir, { recursive: true, force: true })
})

function resultAt(offset: number, more: Partial<CouponResult> = {}): CouponResult {
  return {
    partition: 0,
    offset,
    nonce: offset.toString(16).padStart(16, '0'),
    command: 'issue',
    outcome: 'issued',
    couponId: 'c',
    userId: `u${offset}`,
    sequence: offset + 1,
    slot: 1,
    decidedAt: now,
    remaining: 1000 - offset,
    version: offset + 2,
    ...more,
  }
}

/** A batch of `coupon-result` with these values, its first record at `at`. */
function batchAt(at: number, values: readonly (CouponResult | string)[]): Buffer {
  const builder = new RecordBatchBuilder()
  for (const value of values) {
    builder.append('c', typeof value === 'string' ? value : encode(resultSerde, value), now)
  }
  const batch = Buffer.from(builder.finish())
  writeI64(batch, 0, at)
  return batch
}

function fetched(startOffset: number, nextOffset: number, batches: readonly Buffer[]): FetchedRecords {
  return new FetchedRecords({
    topic: 'coupon-result',
    partition: 0,
    startOffset,
    nextOffset,
    highWatermark: nextOffset,
    batches,
  })
}

function feed(at: number, ...values: (CouponResult | string)[]): void {
  view.apply(fetched(at, at + values.length, [batchAt(at, values)]))
}

describe('ResultView', () => {
  it('finds every result by the offset of its command, also after reopening', async () => {
    // Commands 2 and 5 were unreadable and have no result.
    feed(0, resultAt(0), resultAt(1), resultAt(3))
    feed(3, resultAt(4))
    feed(4, resultAt(6), resultAt(7))
    for (let life = 0; life < 2; life++) {
      for (const offset of [0, 1, 3, 4, 6, 7]) {
        expect(view.find(0, offset)).toEqual({ kind: 'decided', result: resultAt(offset) })
      }
      expect([view.find(0, 2), view.find(0, 5)]).toEqual([{ kind: 'none' }, { kind: 'none' }])
      expect(view.find(0, 10)).toEqual({ kind: 'pending', ahead: 2 })
      expect(view.find(1, 0)).toEqual({ kind: 'pending', ahead: 0 })
      expect([view.readingPosition(0), view.decidedPosition(0)]).toEqual([6, 8])
      await view.close()
      await openView()
    }
  })

  it('does not take a stretch without records for a gap', () => {
    feed(0, resultAt(0))
    // Offsets 1 and 2 were a commit marker and an aborted record.
    view.apply(fetched(3, 4, [batchAt(3, [resultAt(1)])]))
    expect(view.find(0, 0).kind).toBe('decided')
    expect(view.find(0, 1).kind).toBe('decided')
  })

  it('calls expired what the topic no longer had', () => {
    feed(0, resultAt(0))
    view.noteGap(0)
    feed(9, resultAt(12))
    feed(10, resultAt(13))
    expect([0, 5, 11, 12, 13].map((offset) => view.find(0, offset).kind)).toEqual([
      'expired',
      'expired',
      'expired',
      'decided',
      'decided',
    ])
  })

  it('leaves out what is no result, and keeps the rest', () => {
    feed(0, 'rubbish', resultAt(0), '{}', resultAt(1), 'null')
    feed(5, 'rubbish')
    feed(6, resultAt(2), '[1]', resultAt(3))
    expect([0, 1, 2, 3].map((offset) => view.find(0, offset).kind)).toEqual(Array(4).fill('decided'))
    expect(view.readingPosition(0)).toBe(9)
  })

  it('passes over records below the start of a fetch', () => {
    view.apply(fetched(1, 3, [batchAt(0, [resultAt(0), resultAt(1), resultAt(2)])]))
    expect(view.decidedPosition(0)).toBe(3)
    expect(view.find(0, 1).kind).toBe('decided')
  })

  it('knows the first command under a key for as long as it is remembered', async () => {
    const key = { idempotencyKey: 'k' }
    feed(0, resultAt(0, key))
    feed(1, resultAt(1, { ...key, outcome: 'repeat' }))
    feed(2, resultAt(2, { idempotencyKey: 'r', outcome: 'rejected', reason: 'idempotency-key-reused' }))
    feed(3, resultAt(3, { idempotencyKey: 'x', outcome: 'rejected', reason: 'unknown-coupon' }))
    expect(keyed).toEqual([
      ['c', 'k', 0, 0],
      ['c', 'k', 0, 1],
      ['c', 'r', 0, 2],
      ['c', 'x', 0, 3],
    ])
    for (let life = 0; life < 2; life++) {
      expect(view.firstUnder('c', 'k')).toMatchObject({ partition: 0, offset: 0 })
      expect([view.firstUnder('c', 'r'), view.firstUnder('c', 'x'), view.firstUnder('d', 'k')]).toEqual([
        undefined,
        undefined,
        undefined,
      ])
      await view.close()
      await openView()
    }
    now += 4999
    expect(view.firstUnder('c', 'k')).toBeDefined()
    now += 1
    expect(view.firstUnder('c', 'k')).toBeUndefined()
  })

  it('keeps counts of the last result that tells them, also over a crash', async () => {
    const opened = snapshot({ stock: 1000, remaining: 1000, openedAt: now })
    feed(0, resultAt(0, { command: 'open', outcome: 'done', remaining: 1000, version: 1, coupon: opened }))
    const { remaining: _, version: __, ...undecided } = resultAt(3)
    feed(1, resultAt(1), resultAt(2), { ...undecided, outcome: 'rejected', reason: 'internal-error' })
    for (let life = 0; life < 2; life++) {
      expect(coupons.get('c')).toMatchObject({
        snapshot: { stock: 1000, remaining: 998, version: 4 },
        offset: 2,
      })
      await db.close()
      await openView()
    }
  })

  it('prunes what is older than the retention, and nothing else', async () => {
    feed(0, resultAt(0), resultAt(1))
    now += 6000
    feed(2, resultAt(2))
    now += 3900
    await view.prune()
    expect(view.find(0, 0).kind).toBe('decided')
    now += 200
    await view.prune()
    expect([0, 1, 2, 3].map((offset) => view.find(0, offset).kind)).toEqual([
      'expired',
      'expired',
      'decided',
      'pending',
    ])
    now += 60_000
    await view.prune()
    expect([2, 3].map((offset) => view.find(0, offset).kind)).toEqual(['expired', 'pending'])
    feed(3, resultAt(3))
    expect(view.find(0, 3).kind).toBe('decided')
  })
})
