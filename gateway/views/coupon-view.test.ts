import { describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import type { CouponSnapshot } from '#domain/coupon'
import { snapshot as anySnapshot } from '../../domain/coupon/test-coupons.ts'
import { CouponView } from './coupon-view.ts'

function snapshot(version: number, stock: number, remaining: number, couponId = 'c'): CouponSnapshot {
  return anySnapshot({ couponId, version, stock, remaining })
}

const counts = (version: number, remaining: number) => ({ version, remaining, partition: 0, offset: version })

describe('CouponView', () => {
  it('takes the newer of status and results, whichever comes first', () => {
    const view = new CouponView()
    view.applyCounts('c', counts(3, 8))
    expect(view.get('c')).toBeUndefined()
    view.applySnapshot(snapshot(1, 10, 10), 0, 1)
    expect(view.get('c')?.snapshot).toMatchObject({ stock: 10, remaining: 8, version: 3 })
    view.applySnapshot(snapshot(5, 12, 9), 0, 5)
    expect(view.get('c')).toMatchObject({ snapshot: { stock: 12, remaining: 9, version: 5 }, offset: 5 })
    view.applyCounts('c', counts(4, 7))
    view.applySnapshot(snapshot(2, 10, 9), 0, 2)
    expect(view.get('c')?.snapshot).toMatchObject({ stock: 12, remaining: 9, version: 5 })
  })

  it('learns a restock that came late for counts that are ahead', () => {
    const view = new CouponView()
    view.applySnapshot(snapshot(1, 10, 10), 0, 1)
    view.applyCounts('c', counts(7, 14))
    expect(view.get('c')?.snapshot).toMatchObject({ stock: 10, remaining: 10, version: 1 })
    view.applySnapshot(snapshot(6, 20, 15), 0, 6)
    expect(view.get('c')?.snapshot).toMatchObject({ stock: 20, remaining: 14, version: 7 })
  })

  it('never goes back and never shows more than the stock, in any order of two topics', () => {
    const change = fc.oneof(fc.constant('issue' as const), fc.constant('restock' as const))
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), fc.infiniteStream(fc.boolean()), (changes, turns) => {
        let state = snapshot(1, 5, 5)
        const statuses = [state]
        const results: (() => void)[] = []
        const view = new CouponView()
        const opened = state
        results.push(() => view.applySnapshot(opened, 0, 1))
        for (const kind of changes) {
          const version = state.version + 1
          if (kind === 'issue' && state.remaining > 0) {
            const remaining = state.remaining - 1
            state = snapshot(version, state.stock, remaining)
            results.push(() => view.applyCounts('c', counts(version, remaining)))
          } else if (kind === 'restock') {
            state = snapshot(version, state.stock + 3, state.remaining + 3)
            const after = state
            statuses.push(after)
            results.push(() => view.applySnapshot(after, 0, version))
          }
        }
        let shown = 0
        for (const turn of turns) {
          const status = turn ? statuses.shift() : undefined
          if (status !== undefined) view.applySnapshot(status, 0, status.version)
          else if (results.length > 0) results.shift()?.()
          else if (statuses.length === 0) break
          const now = view.get('c')?.snapshot
          if (now === undefined) continue
          expect(now.version).toBeGreaterThanOrEqual(shown)
          expect(now.remaining).toBeGreaterThanOrEqual(0)
          expect(now.remaining).toBeLessThanOrEqual(now.stock)
          shown = now.version
        }
        expect(view.get('c')?.snapshot).toEqual(state)
      }),
      { seed: 8 },
    )
  })

  it('walks coupons in the order of ids', () => {
    const view = new CouponView()
    for (const id of ['b', 'a', 'C', '~']) view.applySnapshot(snapshot(1, 1, 1, id), 0, 1)
    const idsAfter = (after?: string) => Array.from(view.after(after), (entry) => entry.snapshot.couponId)
    expect(idsAfter()).toEqual(['C', 'a', 'b', '~'])
    expect(idsAfter('a')).toEqual(['b', '~'])
    expect(idsAfter('aa')).toEqual(['b', '~'])
    view.applySnapshot(snapshot(1, 1, 1, 'aa'), 0, 1)
    expect(idsAfter('a')).toEqual(['aa', 'b', '~'])
  })

  it('stores what changed and restores the same', () => {
    const view = new CouponView()
    view.applySnapshot(snapshot(1, 10, 10), 0, 1)
    view.applyCounts('c', counts(3, 8))
    const stored = JSON.stringify(view.changed())
    view.forgetChanged()
    expect(view.changed()).toEqual([])
    const restored = new CouponView()
    for (const [id, coupon] of JSON.parse(stored) as ReturnType<CouponView['changed']>)
      restored.restore(id, coupon)
    expect(restored.get('c')).toEqual(view.get('c'))
    expect(restored.changed()).toEqual([])
  })
})
