import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { noMetrics, silentLogger, systemClock } from '#core'
import type { Clock } from '#core'
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
let stop: AbortController
let running: Promise<void>

/** Does not wait: backoff is seen in `sleeps`. */
const clock: Clock = {
  now: () => 0,
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
  stop = new AbortController()
})
afterEach(async () => {
  stop.abort()
  await running.catch(() => {})
})

function start(): { follower: Follower; caughtUp: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>()
  const follower = new Follower({
    log,
    topic,
    store,
    resultsMax: 4,
    clock,
    logger: silentLogger,
    metrics: noMetrics,
    onCaughtUp: resolve,
  })
  running = follower.run(stop.signal, new AbortController().signal)
  return { follower, caughtUp: Promise.race([promise, running]) }
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

  it('stops at what no waiting mends', async () => {
    store.troubles.push(sinkError('SINK_STORE_REFUSED', 'no'))
    const { follower, caughtUp } = start()
    await expect(caughtUp).rejects.toMatchObject({ code: 'SINK_STORE_REFUSED' })
    expect(follower.state).toBe('stopped')
  })

  it('stops when the store is further than the log', async () => {
    store.next = 5
    await expect(start().caughtUp).rejects.toMatchObject({ code: 'SINK_LOG_CHANGED' })
  })

  it('stops when the log starts later than the store', async () => {
    log.append(0, some(3))
    log.append(0, some(3))
    log.deleteBefore(0, 2)
    await expect(start().caughtUp).rejects.toMatchObject({ code: 'SINK_HISTORY_GONE' })
  })

  it('stops when the log lost its beginning under it', async () => {
    const { follower, caughtUp } = start()
    await caughtUp
    expect(follower.state).toBe('following')
    log.skip(0, 10)
    log.deleteBefore(0, 8)
    log.append(0, some(1))
    await expect(running).rejects.toMatchObject({ code: 'SINK_HISTORY_GONE' })
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
