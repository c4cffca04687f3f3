import { expect, test } from 'vitest'
import { systemClock } from '#core'
import { BackgroundTurns } from './background-turns.ts'
import { ManualClock } from './testing/manual-clock.ts'

const never = new AbortController().signal

/** What has happened once everything that can has. */
async function settled(done: readonly string[]): Promise<string> {
  for (let turn = 0; turn < 5; turn++) await systemClock.yield()
  return done.join()
}

test('while tasks have nothing to do, restoring goes on at once; else one turn after each wait', async () => {
  const clock = new ManualClock(0)
  let busy = false
  const done: string[] = []
  const turns = new BackgroundTurns(clock, () => busy)
  const restore = async (): Promise<void> => {
    for (const slice of ['a', 'b', 'c', 'd']) {
      await turns.next(never)
      done.push(slice)
      if (slice === 'a') busy = true
    }
  }
  const restoring = restore()
  expect(await settled(done)).toBe('a')
  clock.advance(50)
  expect(await settled(done)).toBe('a,b')
  clock.advance(49)
  expect(await settled(done)).toBe('a,b')
  busy = false
  turns.quiet()
  await restoring
  expect(done.join()).toBe('a,b,c,d')
})

test('whoever is given up does not wait for its turn', async () => {
  const turns = new BackgroundTurns(new ManualClock(0), () => true)
  const abort = new AbortController()
  const waiting = turns.next(abort.signal)
  abort.abort()
  await waiting
})
