import { expect, it } from 'vitest'
import { MillraceError, silentLogger, systemClock } from '#core'
import type { Clock } from '#core'
import { logError } from '#log'
import { untilReachable } from './until-reachable.ts'
import type { Patience } from './until-reachable.ts'

const away = logError('LOG_UNAVAILABLE', 'No broker answers.')

/** Waits of no length, and what was told meanwhile. */
function patience(signal = new AbortController().signal): Patience & { readonly told: string[] } {
  const told: string[] = []
  const clock: Clock = { ...systemClock, sleep: () => Promise.resolve() }
  const warn = (_: unknown, message: string): void => void told.push(message)
  return { clock, signal, told, logger: { ...silentLogger, warn }, onWaiting: () => told.push('waiting') }
}

it('answers at once, silently, when all is well', async () => {
  const given = patience()
  expect(await untilReachable(async () => 'open', given)).toBe('open')
  expect(given.told).toEqual([])
})

it('tries as often as it takes, and tells when it began to wait and when it ended', async () => {
  const given = patience()
  let tries = 0
  const open = async (): Promise<number> => {
    if (++tries < 5) throw away
    return tries
  }
  expect(await untilReachable(open, given)).toBe(5)
  expect(given.told).toEqual([
    'The log cannot be reached; trying again until it can.',
    'waiting',
    'The log can be reached.',
  ])
})

it('does not wait for what no waiting mends', async () => {
  const given = patience()
  const refused = new MillraceError('LOG_UNAUTHORIZED', 'No.', { domain: 'external', reaction: 'stop' })
  await expect(untilReachable(() => Promise.reject(refused), given)).rejects.toBe(refused)
  expect(given.told).toEqual([])
})

it('gives up when it is told to, also in the middle of a try', async () => {
  const stop = new AbortController()
  let tries = 0
  const stopped = untilReachable(async () => {
    stop.abort()
    // Whoever goes on all the same has to come to an end, too: these waits have no length.
    if (++tries > 10) throw new Error('it was not given up')
    throw away
  }, patience(stop.signal))
  await expect(stopped).rejects.toMatchObject({ code: 'LOG_CLOSED' })
})
