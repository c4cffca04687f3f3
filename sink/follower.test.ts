import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { noMetrics, silentLogger, systemClock } from '#core'
import type { Clock, MillraceError } from '#core'
import { sinkError } from './errors.ts'
import { Follower } from './follower.ts'
import type { ResultBatch } from './intake.ts'
import type { Store } from './store.ts'
import { ResultLog } from './testing/result-log.ts'
import { result } from './testing/results.ts'

const topic = 'coupon-result'
const some = (count: number) =>
  Array.from({ length: count }, (_, offset) => result({ offset, outcome: 'unchanged' }))

/** Keeps what it is given; fails as it is told. */
class ListStore implements Store {
  readonly name = 'sql'
  readonly title = 'The lists'
  readonly lingerMs = 0
  readonly applied: number[] = []
  next = 0
  /** Thrown by the next calls, one each. */
  readonly troubles: Error[] = []
  /** Thrown after the next batch was kept: its answer is lost. */
  lostAnswer: Error | undefined
  /** Moves on before the next batch comes, as another sink would. */
  another = 0

  async positions(): Promise<number[]> {
    this.#trouble()
    return [this.next]
  }

  async apply(batch: ResultBatch): Promise<boolean> {
    this.#trouble()
    this.next += this.another
    this.another = 0
    const [step] = batch.steps
    if (step?.from !== this.next) return false
    this.applied.push(...batch.results.map(({ offset }) => offset))
    this.next = step.to
    const lost = this.lostAnswer
    this.lostAnswer = undefined
    if (lost !== undefined) throw lost
    return true
  }

  async maintain(): Promise<void> {}

  #trouble(): void {
    const error = this.troubles.shift()
    if (error !== undefined) throw error
  }
}

let log: ResultLog
let store: ListStore
let sleeps: number[]
let yields: number
let now: number
let stop: AbortController
let running: Promise<void>

/** Does not wait: backoff is seen in `sleeps`. */
const clock: Clock = {
  now: () => now,
  async yield() {
    yields++
    await systemClock.yield()
  },
  async sleep(ms) {
    sleeps.push(ms)
    await systemClock.yield()
  },
}

beforeEach(() => {
  log = new ResultLog(topic)
  store = new ListStore()
  sleeps = []
  yields = 0
  now = 0
  stop = new AbortController()
})
afterEach(async () => {
  stop.abort()
  await running.catch(() => {})
})

function start(): { follower: Follower; caughtUp: Promise<void>; refusals: unknown[] } {
  const { promise, resolve } = Promise.withResolvers<void>()
  const refusals: unknown[] = []
  const follower = new Follower({
    log,
    topic,
    store,
    resultsMax: 4,
    clock,
    logger: silentLogger,
    metrics: noMetrics,
    onCaughtUp: resolve,
    onRefused: (error) => refusals.push((error as MillraceError).code),
  })
  running = follower.run(stop.signal, new AbortController().signal)
  return { follower, caughtUp: promise, refusals }
}

const away = (): Error => sinkError('SINK_STORE_UNAVAILABLE', 'away')

describe('a follower', () => {
  it('is ready at once when there is nothing to do', async () => {
    const { follower, caughtUp } = start()
    await caughtUp
    expect(follower.state).toBe('following')
    expect(follower.positions).toEqual([0])
  })

  it('waits longer and longer while the store is away, and goes on where the store stands', async () => {
    log.append(0, some(10))
    store.troubles.push(...Array.from({ length: 8 }, away))
    const { caughtUp } = start()
    await caughtUp
    expect(store.applied).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(sleeps).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000])
  })

  it('applies nothing twice when the answer to a batch is lost', async () => {
    log.append(0, some(10))
    store.lostAnswer = away()
    await start().caughtUp
    expect(store.applied).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  it('leaves to another sink what that one has done', async () => {
    log.append(0, some(10))
    store.another = 6
    await start().caughtUp
    expect(store.applied).toEqual([6, 7, 8, 9])
  })

  it('goes on after the log was away', async () => {
    log.append(0, some(3))
    log.away = true
    const { follower, caughtUp } = start()
    while (follower.state !== 'waiting') await systemClock.yield()
    log.away = false
    await caughtUp
    expect(store.applied).toEqual([0, 1, 2])
  })

  it('says once what no waiting mends, asks less and less often, and goes on when it is mended', async () => {
    log.append(0, some(10))
    const refused = (): Error => sinkError('SINK_STORE_REFUSED', 'no')
    store.troubles.push(...Array.from({ length: 11 }, refused))
    const { caughtUp, refusals } = start()
    await caughtUp
    expect(store.applied).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(refusals).toEqual(['SINK_STORE_REFUSED'])
    expect(sleeps).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000])
  })

  it('is refused while the store is further than the log', async () => {
    store.next = 5
    const { follower, refusals } = start()
    while (refusals.length === 0) await systemClock.yield()
    expect(refusals).toEqual(['SINK_LOG_CHANGED'])
    expect(follower.state).toBe('refused')
    store.next = 0
    while (follower.state !== 'following') await systemClock.yield()
  })

  it('is refused when the log starts later than the store', async () => {
    log.append(0, some(3))
    log.append(0, some(3))
    log.deleteBefore(0, 2)
    const { refusals } = start()
    while (refusals.length === 0) await systemClock.yield()
    expect(refusals).toEqual(['SINK_HISTORY_GONE'])
  })

  it('is refused when the log lost its beginning under it', async () => {
    const { follower, caughtUp, refusals } = start()
    await caughtUp
    expect(follower.state).toBe('following')
    log.skip(0, 10)
    log.deleteBefore(0, 8)
    log.append(0, some(1))
    while (refusals.length === 0) await systemClock.yield()
    expect(refusals).toEqual(['SINK_HISTORY_GONE'])
  })

  it('notices without any news that the store was put back, or emptied', async () => {
    log.append(0, some(6))
    const { follower, caughtUp } = start()
    await caughtUp
    store.next = 2
    store.applied.length = 2
    now = 6000
    while (store.next < 6) {
      follower.wakeup()
      await systemClock.yield()
    }
    expect(store.applied).toEqual([0, 1, 2, 3, 4, 5])
  })

  it('lets others of its thread have a turn after every batch', async () => {
    log.append(0, some(12))
    await start().caughtUp
    expect(yields).toBeGreaterThanOrEqual(2)
  })

  it('ends when it is asked to while it waits', async () => {
    const { caughtUp } = start()
    await caughtUp
    stop.abort()
    await running
  })
})
