import { expect, it } from 'vitest'
import { systemClock } from '#core'
import { Intake } from './intake.ts'
import type { TakeOptions } from './intake.ts'
import { ResultLog } from './testing/result-log.ts'
import { result } from './testing/results.ts'

const topic = 'coupon-result'
const options: TakeOptions = {
  resultsMax: 10,
  lingerMs: 0,
  idleMs: 0,
  signal: new AbortController().signal,
}

function setUp(partitions = 1): { log: ResultLog; intake: Intake } {
  const log = new ResultLog(topic, partitions)
  const intake = new Intake(log.reader(), topic, systemClock)
  intake.reset(Array.from({ length: partitions }, () => 0))
  return { log, intake }
}

const some = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => result({ offset: from + index, outcome: 'unchanged' }))
const offsetsOf = (batch: { readonly results: readonly { readonly offset: number }[] }): number[] =>
  batch.results.map(({ offset }) => offset)

it('cuts what was fetched into bounded batches that join without a gap', async () => {
  const { log, intake } = setUp()
  log.append(0, some(0, 25))
  const batches = [await intake.take(options), await intake.take(options), await intake.take(options)]
  expect(batches.flatMap(({ steps }) => steps)).toEqual([
    { partition: 0, from: 0, to: 10 },
    { partition: 0, from: 10, to: 20 },
    { partition: 0, from: 20, to: 25 },
  ])
  expect(batches.flatMap(offsetsOf)).toEqual(some(0, 25).map(({ offset }) => offset))
  expect(await intake.take(options)).toEqual({ steps: [], results: [] })
})

it('starts inside a batch of the log', async () => {
  const { log, intake } = setUp()
  log.append(0, some(0, 8))
  intake.reset([5])
  const batch = await intake.take(options)
  expect(batch.steps).toEqual([{ partition: 0, from: 5, to: 8 }])
  expect(offsetsOf(batch)).toEqual([5, 6, 7])
})

it('moves past offsets that readers never see, with or without a record before them', async () => {
  const { log, intake } = setUp()
  log.append(0, some(0, 2))
  log.skip(0, 1)
  log.append(0, some(3, 5))
  log.skip(0, 1)
  const batch = await intake.take(options)
  expect(batch.steps).toEqual([{ partition: 0, from: 0, to: 6 }])
  log.skip(0, 2)
  expect(await intake.take(options)).toMatchObject({ steps: [] })
  expect(intake.reached(0)).toBe(8)
})

it('takes of several partitions, and says so for each', async () => {
  const { log, intake } = setUp(3)
  log.append(0, some(0, 3))
  log.append(2, some(0, 4))
  const { steps, results } = await intake.take(options)
  expect(steps).toEqual([
    { partition: 0, from: 0, to: 3 },
    { partition: 2, from: 0, to: 4 },
  ])
  expect(results).toHaveLength(7)
})

it('stops at the limit of a partition without holding up the others', async () => {
  const { log, intake } = setUp(2)
  const limits = [2, 0]
  const limited = { ...options, limit: (partition: number) => limits[partition] ?? 0 }
  log.append(0, some(0, 5))
  log.append(1, some(0, 5))
  expect((await intake.take(limited)).steps).toEqual([{ partition: 0, from: 0, to: 2 }])
  expect((await intake.take(limited)).steps).toEqual([])
  limits[1] = 5
  expect((await intake.take(limited)).steps).toEqual([{ partition: 1, from: 0, to: 5 }])
  limits[0] = 4
  expect((await intake.take(limited)).steps).toEqual([{ partition: 0, from: 2, to: 4 }])
})

it('does not step past the limit over offsets that nobody sees', async () => {
  const { log, intake } = setUp()
  log.append(0, some(0, 2))
  log.skip(0, 3)
  const batch = await intake.take({ ...options, limit: () => 2 })
  expect(batch.steps).toEqual([{ partition: 0, from: 0, to: 2 }])
})

it('looks again when it is woken and the limit has moved', async () => {
  const log = new ResultLog(topic)
  const reader = log.reader()
  const intake = new Intake(reader, topic, systemClock)
  intake.reset([0])
  log.append(0, some(0, 3))
  let limit = 0
  const taken = intake.take({ ...options, idleMs: 60_000, limit: () => limit })
  await systemClock.yield()
  limit = 3
  reader.wakeup()
  expect((await taken).steps).toEqual([{ partition: 0, from: 0, to: 3 }])
})

it('starts over where it is told', async () => {
  const { log, intake } = setUp()
  log.append(0, some(0, 20))
  await intake.take(options)
  intake.reset([3])
  expect(offsetsOf(await intake.take({ ...options, resultsMax: 2 }))).toEqual([3, 4])
})

it('gives up on a record that is no result', async () => {
  const { log, intake } = setUp()
  log.appendRaw(0, [null])
  await expect(intake.take(options)).rejects.toMatchObject({ code: 'SINK_RECORD_UNREADABLE' })
})
