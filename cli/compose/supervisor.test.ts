import { describe, expect, it } from 'vitest'
import { MillraceError, noMetrics, silentLogger, systemClock } from '#core'
import type { Clock } from '#core'
import { Supervisor } from './supervisor.ts'
import type { SupervisorOptions } from './supervisor.ts'
import type { Thread } from './thread.ts'

/** Waiting takes no time, but all that is under way has its turn. */
const clock: Clock = { ...systemClock, sleep: () => systemClock.yield() }

interface TestThread extends Thread {
  readonly number: number
  readonly die: (error: unknown) => void
}

interface Crew {
  readonly supervisor: Supervisor
  readonly launched: readonly TestThread[]
  readonly events: readonly string[]
}

function crew(
  count: number,
  starts: (launched: number) => Promise<void> = () => Promise.resolve(),
  buried: SupervisorOptions['bury'] = () => Promise.resolve(),
): Crew {
  const launched: TestThread[] = []
  const events: string[] = []
  const launch = (number: number): Thread => {
    const failure = Promise.withResolvers<never>()
    failure.promise.catch(() => undefined)
    const at = launched.length
    const thread: TestThread = {
      number,
      name: `engine-${number}`,
      die: failure.reject,
      failure: failure.promise,
      control: {
        open: () => Promise.resolve(),
        start: () => starts(at),
        checks: () => Promise.resolve({ tasks: number === 0 }),
        metrics: () => Promise.resolve([]),
        failure: () => failure.promise,
        stop: () => Promise.resolve(),
      },
      stop: async () => void events.push(`stop ${number}`),
      kill: async () => void events.push(`kill ${number}`),
    }
    launched.push(thread)
    return thread
  }
  const bury: SupervisorOptions['bury'] = (number, signal) => {
    events.push(`bury ${number}`)
    return buried(number, signal)
  }
  const supervisor = new Supervisor({ count, launch, bury, clock, logger: silentLogger, metrics: noMetrics })
  return { supervisor, launched, events }
}

async function until(holds: () => boolean): Promise<void> {
  for (let turns = 0; turns < 1000 && !holds(); turns++) await systemClock.yield()
  expect(holds()).toBe(true)
}

const bug = new Error('a bug')
const diskFull = new MillraceError('ROCKSDB_FAILED', 'The disk is full.', {
  domain: 'external',
  reaction: 'stop',
})

describe('a supervisor', () => {
  it('replaces a thread that dies, after others have been told, and leaves the others alone', async () => {
    const { supervisor, launched, events } = crew(2)
    await supervisor.open()
    await supervisor.start()
    launched[1]?.die(bug)
    await until(() => launched.length === 3)
    expect(launched[2]?.number).toBe(1)
    expect(events).toEqual(['stop 1', 'kill 1', 'bury 1'])
    expect(supervisor.threads()).toEqual([launched[0], launched[2]])
    await supervisor.stop()
    expect(events.slice(3)).toEqual(['stop 0', 'stop 1'])
  })

  it('ends a burial that takes too long before there is another thread to bury', async () => {
    let funeral: AbortSignal | undefined
    const endedBeforeStart: (boolean | undefined)[] = []
    const starts = async (at: number): Promise<void> => void (endedBeforeStart[at] = funeral?.aborted)
    const { supervisor, launched } = crew(1, starts, (_, signal) => {
      expect(signal.aborted).toBe(false)
      funeral = signal
      return new Promise(() => undefined)
    })
    await supervisor.start()
    launched[0]?.die(bug)
    await until(() => launched.length === 2)
    expect(endedBeforeStart).toEqual([undefined, true])
    await supervisor.stop()
  })

  it('replaces one that does not even start', async () => {
    const { supervisor, launched } = crew(1, (at) => (at === 0 ? Promise.reject(bug) : Promise.resolve()))
    await supervisor.start()
    await until(() => launched.length === 2)
    await supervisor.stop()
  })

  it('gives up what a new thread would meet again', async () => {
    const { supervisor, launched, events } = crew(1)
    await supervisor.start()
    launched[0]?.die(diskFull)
    await expect(supervisor.failure).rejects.toBe(diskFull)
    await supervisor.stop()
    expect([launched.length, events]).toEqual([1, []])
  })

  it('gives up after five deaths in a short time, in one line that names the last', async () => {
    const { supervisor, launched } = crew(2)
    await supervisor.start()
    for (let death = 1; death <= 5; death++) {
      launched.at(-1)?.die(bug)
      if (death < 5) await until(() => launched.length === 2 + death)
    }
    await expect(supervisor.failure).rejects.toMatchObject({
      code: 'CLI_THREAD_FAILED',
      message: expect.stringMatching(/^Stream threads died 5 times within 5 minutes.*a bug/) as unknown,
    })
    await supervisor.stop()
  })

  it('is ready only when every thread is', async () => {
    const { supervisor } = crew(2)
    expect(await supervisor.checks()).toEqual({ tasks: false })
    await supervisor.stop()
    const alone = crew(1)
    expect(await alone.supervisor.checks()).toEqual({ tasks: true })
    await alone.supervisor.stop()
  })
})
