import { expect, test } from 'vitest'
import { CleanCache } from './clean-cache.ts'

test('keeps what is read again and forgets what is not', () => {
  const cache = new CleanCache<number>(4)
  cache.set('hot', 1)
  for (let cold = 0; cold < 20; cold++) {
    cache.set(`cold-${cold}`, cold)
    expect(cache.get('hot')).toBe(1)
  }
  expect(cache.get('cold-0')).toBe(undefined)
  expect(cache.get('cold-19')).toBe(19)
})

test('holds the latest value, and nothing after clear', () => {
  const cache = new CleanCache<number>(4)
  cache.set('a', 1)
  cache.set('a', 2)
  expect(cache.get('a')).toBe(2)
  cache.clear()
  expect(cache.get('a')).toBe(undefined)
})
