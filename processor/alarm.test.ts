import { expect, test } from 'vitest'
import { Alarm } from './alarm.ts'
import { ManualClock } from './testing/manual-clock.ts'

function alarmed(): { clock: ManualClock; alarm: Alarm; rings: () => Promise<number> } {
  const clock = new ManualClock(1000)
  let rings = 0
  const alarm = new Alarm(clock, () => rings++)
  return { clock, alarm, rings: async () => (await clock.yield(), rings) }
}

test('rings once at its time', async () => {
  const { clock, alarm, rings } = alarmed()
  alarm.set(1100)
  alarm.set(1100)
  clock.advance(99)
  expect(await rings()).toBe(0)
  clock.advance(1)
  expect(await rings()).toBe(1)
  clock.advance(1000)
  expect(await rings()).toBe(1)
})

test('goes by the time set last, and not at all after Infinity', async () => {
  const { clock, alarm, rings } = alarmed()
  alarm.set(1100)
  alarm.set(1200)
  clock.advance(150)
  expect(await rings()).toBe(0)
  clock.advance(50)
  expect(await rings()).toBe(1)
  alarm.set(1300)
  alarm.set(Infinity)
  clock.advance(1000)
  expect(await rings()).toBe(1)
})

test('can be set again for the time at which it rang', async () => {
  const { clock, alarm, rings } = alarmed()
  alarm.set(1100)
  clock.advance(100)
  expect(await rings()).toBe(1)
  alarm.set(1100)
  clock.advance(0)
  expect(await rings()).toBe(2)
})
