import { expect, it } from 'vitest'
import type { Clock } from '#core'
import { TokenBucket } from './token-bucket.ts'

function virtualClock(): Clock & { slept: number } {
  let now = 0
  return {
    slept: 0,
    now: () => now,
    yield: async () => {},
    async sleep(ms) {
      now += ms
      this.slept += ms
    },
  }
}

it('lets a second of saved tokens through at once, then makes the next one wait for the debt', async () => {
  const clock = virtualClock()
  const bucket = new TokenBucket(clock, 1000)
  await bucket.take(1500)
  expect(clock.slept).toBe(0)
  await bucket.take(1)
  expect(clock.slept).toBe(500)
})

it('keeps to the rate over time', async () => {
  const clock = virtualClock()
  const bucket = new TokenBucket(clock, 1000)
  for (let batch = 0; batch < 100; batch++) await bucket.take(500)
  // 50,000 tokens: one second's worth was there, the last batch's debt is not waited for.
  expect(clock.slept).toBeGreaterThanOrEqual(48_000)
  expect(clock.slept).toBeLessThanOrEqual(49_000)
})

it('saves no more than a second', async () => {
  const clock = virtualClock()
  const bucket = new TokenBucket(clock, 1000)
  await clock.sleep(60_000)
  clock.slept = 0
  await bucket.take(3000)
  await bucket.take(0)
  expect(clock.slept).toBe(2000)
})

it('never waits without a bound, nor after an abort', async () => {
  const clock = virtualClock()
  const free = new TokenBucket(clock, Number.POSITIVE_INFINITY)
  for (let batch = 0; batch < 10; batch++) await free.take(1e9)
  const bucket = new TokenBucket(clock, 1)
  await bucket.take(100)
  await bucket.take(1, AbortSignal.abort())
  expect(clock.slept).toBe(0)
})

it('is not fooled by a clock that goes back', async () => {
  let now = 10_000
  const sleeps: number[] = []
  const bucket = new TokenBucket(
    {
      now: () => now,
      yield: async () => {},
      async sleep(ms) {
        sleeps.push(ms)
        now += ms
      },
    },
    100,
  )
  await bucket.take(200)
  now = 0
  await bucket.take(1)
  expect(sleeps).toEqual([1000])
})
