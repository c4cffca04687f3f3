import { expect, it } from 'vitest'
import { Timers } from './timers.ts'
import type { Timer } from './timers.ts'

const timer = (name: string, order: number, since = -1, every = 10): Timer => {
  const by = since < 0 ? 'stream-time' : 'wall-clock'
  return { punctuator: { name, every, by, punctuate: () => {} }, processor: `p${order}`, order, since }
}

function timersOf(...all: readonly Timer[]): Timers {
  const timers = new Timers()
  for (const one of all) timers.add(one)
  return timers
}

it('calls processors in their own order, whenever they scheduled', () => {
  const timers = timersOf(timer('a', 1), timer('b', 0))
  expect(timers.due('stream-time', 9, 10).map((due) => due.timer.processor)).toEqual(['p0', 'p1'])
})

it('does not fire by wall clock for an instant before it was scheduled', () => {
  const timers = timersOf(timer('a', 0, 1005))
  expect(timers.due('wall-clock', 990, 1007)).toEqual([])
  expect(timers.nextWallClock(990)).toBe(1010)
  expect(timers.due('wall-clock', 990, 1010)).toMatchObject([{ timestamp: 1010 }])
})

it('knows the earliest of the next instants', () => {
  expect(timersOf(timer('stream', 0)).nextWallClock(3)).toBeUndefined()
  expect(timersOf(timer('a', 0, 0, 10), timer('b', 0, 0, 4)).nextWallClock(8)).toBe(10)
  expect(timersOf(timer('a', 0, 0, 10), timer('b', 0, 0, 4)).nextWallClock(10)).toBe(12)
})

it('goes back to what init left, however it was changed since', () => {
  const [kept, later] = [timer('kept', 0), timer('later', 0)]
  const timers = timersOf(kept)
  timers.keepInitial()
  timers.cancel(kept)
  timers.add(later)
  timers.release()
  timers.reset()
  expect([timers.has(kept), timers.has(later)]).toEqual([true, false])
})
