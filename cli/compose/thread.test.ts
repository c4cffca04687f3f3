import { describe, expect, it } from 'vitest'
import { systemClock } from '#core'
import { readSettings } from '../settings.ts'
import type { Behaviour } from './testing/thread-script.ts'
import { startThread } from './thread.ts'
import type { Thread } from './thread.ts'

function start(behaviour: Behaviour): Thread {
  return startThread({
    name: 'engine',
    script: new URL('./testing/thread-script.ts', import.meta.url),
    data: { settings: readSettings({}), readableLogs: false, behaviour },
    ports: [],
    stopGrace: { ms: 50, clock: systemClock },
  })
}

describe('a thread', () => {
  it('starts and stops when told, and that is no failure', async () => {
    const thread = start('well')
    await thread.control.start()
    await thread.stop()
    const verdict = await Promise.race([thread.failure.catch(() => 'failed'), Promise.resolve('fine')])
    expect(verdict).toBe('fine')
  })

  it.each([
    ['throws', 'something unforeseen'],
    ['ends', 'it ended with code 3'],
  ] as const)('that %s makes its failure known, by name', async (behaviour, why) => {
    const thread = start(behaviour)
    void thread.control.start().catch(() => undefined)
    await expect(thread.failure).rejects.toMatchObject({
      code: 'CLI_THREAD_FAILED',
      message: expect.stringMatching(new RegExp(`engine thread stopped: ${why}`)) as unknown,
    })
    await thread.stop()
  })

  it('that reports a failure passes it on with its code', async () => {
    const thread = start('fails')
    await expect(thread.failure).rejects.toMatchObject({ code: 'LOG_CORRUPT', message: 'The disk is gone.' })
    await thread.stop()
  })

  it('that does not stop in time is ended by force', async () => {
    const thread = start('sticks')
    await thread.control.start()
    await thread.stop()
  })
})
