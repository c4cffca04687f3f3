import { describe, expect, it } from 'vitest'
import type { Clock } from '#core'
import type { CouponResult } from '#domain/coupon'
import { Waiters } from './waiters.ts'

/** A clock that a test turns; a sleeper wakes with every turn. */
class TurnedClock implements Clock {
  #now = 0
  #wake: (() => void)[] = []

  now(): number {
    return this.#now
  }

  sleep(_: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#wake.push(resolve)
      signal?.addEventListener('abort', () => resolve())
    })
  }

  yield(): Promise<void> {
    return Promise.resolve()
  }

  async turn(ms: number): Promise<void> {
    this.#now += ms
    for (const wake of this.#wake.splice(0)) wake()
    for (let turn = 0; turn < 5; turn++) await Promise.resolve()
  }
}

function result(partition: number, offset: number): CouponResult {
  return {
    partition,
    offset,
    nonce: '0'.repeat(16),
    command: 'issue',
    outcome: 'issued',
    couponId: 'c',
    userId: 'u',
    decidedAt: 0,
  }
}

describe('Waiters', () => {
  it('answer everybody who waits for the command, and nobody else', async () => {
    const waiters = new Waiters(new TurnedClock(), 10)
    const here = [waiters.wait(0, 5, 1000), waiters.wait(0, 5, 1000)]
    void waiters.wait(1, 5, 1000)
    expect([waiters.any(0), waiters.has(0, 5), waiters.has(0, 6), waiters.any(2)]).toEqual([
      true,
      true,
      false,
      false,
    ])
    waiters.resolve(result(0, 5))
    expect(await Promise.all(here)).toEqual([result(0, 5), result(0, 5)])
    expect([waiters.count, waiters.any(0), waiters.any(1)]).toEqual([1, false, true])
  })

  it('end when the time passed, not before', async () => {
    const clock = new TurnedClock()
    const waiters = new Waiters(clock, 10)
    let ended = false
    const waiting = waiters.wait(0, 1, 1000).then((value) => {
      ended = true
      return value
    })
    await clock.turn(999)
    expect(ended).toBe(false)
    await clock.turn(101)
    expect(await waiting).toBeUndefined()
    expect([waiters.count, waiters.any(0)]).toEqual([0, false])
  })

  it('are bounded, and do not wait for nothing', async () => {
    const waiters = new Waiters(new TurnedClock(), 1)
    void waiters.wait(0, 1, 1000)
    expect(waiters.full).toBe(true)
    expect(await waiters.wait(0, 2, 1000)).toBeUndefined()
    expect(await new Waiters(new TurnedClock(), 1).wait(0, 2, 0)).toBeUndefined()
  })

  it('all end when the gateway does', async () => {
    const waiters = new Waiters(new TurnedClock(), 10)
    const waiting = [waiters.wait(0, 1, 1000), waiters.wait(0, 2, 5000)]
    waiters.close()
    expect(await Promise.all(waiting)).toEqual([undefined, undefined])
    expect(await waiters.wait(0, 3, 1000)).toBeUndefined()
    expect(waiters.count).toBe(0)
  })
})
