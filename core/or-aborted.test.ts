import { getEventListeners } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { orAborted } from './or-aborted.ts'

const never = new Promise<string>(() => undefined)

test('is what the work comes to', async () => {
  const { signal } = new AbortController()
  expect(await orAborted(signal, Promise.resolve('done'))).toBe('done')
  await expect(orAborted(signal, Promise.reject(new Error('broken')))).rejects.toThrow('broken')
})

test('is undefined once the signal comes, before the wait or during it', async () => {
  const controller = new AbortController()
  const waiting = orAborted(controller.signal, never)
  controller.abort()
  expect(await waiting).toBeUndefined()
  expect(await orAborted(controller.signal, never)).toBeUndefined()
})

test('leaves no listener on the signal', async () => {
  const controller = new AbortController()
  const { signal } = controller
  const listeners = (): number => getEventListeners(signal, 'abort').length
  const work = Promise.withResolvers<string>()
  const [done, left] = [orAborted(signal, work.promise), orAborted(signal, never)]
  expect(listeners()).toBe(2)
  work.resolve('done')
  await done
  expect(listeners()).toBe(1)
  await expect(orAborted(signal, Promise.reject(new Error('broken')))).rejects.toThrow('broken')
  expect(listeners()).toBe(1)
  controller.abort()
  await left
  await orAborted(signal, never)
  expect(listeners()).toBe(0)
})

test('a failure after the signal is no unhandled one', async () => {
  const unhandled: unknown[] = []
  const note = (error: unknown): unknown => unhandled.push(error)
  process.on('unhandledRejection', note)
  onTestFinished(() => void process.off('unhandledRejection', note))
  const controller = new AbortController()
  const works = [Promise.withResolvers<string>(), Promise.withResolvers<string>()]
  const before = works.slice(0, 1).map(({ promise }) => orAborted(controller.signal, promise))
  controller.abort()
  const after = works.slice(1).map(({ promise }) => orAborted(controller.signal, promise))
  expect(await Promise.all([...before, ...after])).toEqual([undefined, undefined])
  for (const { reject } of works) reject(new Error('too late'))
  // Node tells of rejections when the microtasks are done.
  await setImmediate()
  expect(unhandled).toEqual([])
})
