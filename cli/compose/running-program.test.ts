import { expect, it } from 'vitest'
import { MillraceError, systemClock } from '#core'
import { logError } from '#log'
import { runProgram } from './running-program.ts'
import type { Course, RunningProgram } from './running-program.ts'

function run(begin: (course: Course) => Promise<void>, close = async () => {}): RunningProgram {
  return runProgram({ url: 'http://localhost', clock: systemClock }, begin, close)
}

/** After everything that is due has had its turn. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false
  const settle = (): void => void (settled = true)
  promise.then(settle, settle)
  await systemClock.yield()
  return settled
}

it('is opened, then ready once what it waits for holds', async () => {
  let asked = 0
  const program = run(async ({ opened, readyWhen }) => {
    opened()
    await readyWhen(async () => ++asked === 3)
  })
  await program.opened
  await program.ready
  expect(asked).toBe(3)
})

it('fails with what ends its beginning, or with what a part reports', async () => {
  const broken = new MillraceError('X', 'It broke.', { domain: 'internal', reaction: 'stop' })
  await expect(run(() => Promise.reject(broken)).failure).rejects.toBe(broken)
  await expect(run(async ({ fail }) => fail(broken)).failure).rejects.toBe(broken)
})

it('stops once, is not ready afterwards, and what ends by that is no failure', async () => {
  let closed = 0
  const program = run(
    async ({ signal, readyWhen }) => {
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve)
      })
      await readyWhen(async () => true)
      throw new Error('cut off')
    },
    async () => void closed++,
  )
  await Promise.all([program.stop(), program.stop()])
  expect(closed).toBe(1)
  expect(await isSettled(program.ready)).toBe(false)
  expect(await isSettled(program.failure)).toBe(false)
})

it('leaves it to the thread to tell why it is gone', async () => {
  const program = run(async ({ opened }) => {
    opened()
    throw logError('LOG_CLOSED', 'The log is closed.')
  })
  await program.opened
  expect(await isSettled(program.failure)).toBe(false)
})
