import { expect, it } from 'vitest'
import type { Clock } from '#core'
import { StatusLookUp } from './status-look-up.ts'

function setUp() {
  let now = 0
  const readings: { resolve: () => void; reject: (error: Error) => void }[] = []
  const clock: Clock = { now: () => now, sleep: () => Promise.resolve(), yield: () => Promise.resolve() }
  const readToEnd = () => new Promise<void>((resolve, reject) => readings.push({ resolve, reject }))
  return { readings, lookUp: new StatusLookUp(readToEnd, clock), pass: (ms: number) => (now += ms) }
}

it('shares one look-up, and one more among those who came while it was in flight', async () => {
  const { lookUp, readings } = setUp()
  const first = lookUp.before('a')
  const later = Promise.all(['a', 'b', 'c'].map((id) => lookUp.before(id)))
  expect(readings).toHaveLength(1)
  readings[0]?.resolve()
  await first
  await Promise.resolve()
  expect(readings).toHaveLength(2)
  readings[1]?.resolve()
  await later
  expect(readings).toHaveLength(2)
})

it('remembers an answer for a moment', async () => {
  const { lookUp, readings, pass } = setUp()
  const first = lookUp.before('a')
  readings[0]?.resolve()
  await first
  await lookUp.before('a')
  expect(readings).toHaveLength(1)
  pass(250)
  void lookUp.before('a')
  expect(readings).toHaveLength(2)
})

it('goes on after a failure', async () => {
  const { lookUp, readings } = setUp()
  const first = lookUp.before('a')
  const second = lookUp.before('b')
  readings[0]?.reject(new Error('away'))
  await expect(first).rejects.toThrow('away')
  await Promise.resolve()
  readings[1]?.resolve()
  await second
})
