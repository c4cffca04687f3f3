import { expect, test } from 'vitest'
import { systemClock } from '#core'
import { Slots } from './slots.ts'

const never = new AbortController().signal

test('no more than there are slots happen at a time, in the order they came; who gives up waits no more', async () => {
  const slots = new Slots(2)
  const events: string[] = []
  const ends = new Map<string, () => void>()
  const begin = (name: string, signal = never): Promise<void> =>
    slots.hold(signal, async () => {
      events.push(name)
      if (!signal.aborted) await new Promise<void>((resolve) => ends.set(name, resolve))
    })
  const abort = new AbortController()
  const all = [begin('a'), begin('b'), begin('c', abort.signal), begin('d'), begin('e')]
  await systemClock.yield()
  expect(events).toEqual(['a', 'b'])
  abort.abort()
  await systemClock.yield()
  expect(events).toEqual(['a', 'b', 'c'])
  ends.get('b')?.()
  await systemClock.yield()
  expect(events).toEqual(['a', 'b', 'c', 'd'])
  for (const name of ['a', 'd']) ends.get(name)?.()
  await systemClock.yield()
  ends.get('e')?.()
  await Promise.all(all)
  expect(events).toEqual(['a', 'b', 'c', 'd', 'e'])
})

test('a slot is free again after a failure', async () => {
  const slots = new Slots(1)
  await expect(slots.hold(never, () => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
  expect(await slots.hold(never, async () => 'done')).toBe('done')
})
