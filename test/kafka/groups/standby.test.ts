/** Copies of tasks on real Kafka: they follow, and whoever has one goes on with it. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Streams } from '#processor'
import { restoredRecords } from '../../../processor/testing/restored-records.ts'
import { kafka } from '../../servers/kafka/index.ts'
import { eventually } from '../../system/eventually.ts'
import { connect, proxied } from '../driver/kafka-logs.ts'
import { Numbering } from './numbering.ts'

const partitions = 2
/** Records of one partition before the second process comes. */
const before = 3000
const acceptableLag = 100

let numbering: Numbering
let appended = 0

beforeEach(async () => {
  numbering = await Numbering.open(partitions)
  appended = 0
})
afterEach(() => numbering.close())

async function append(count: number): Promise<void> {
  const appender = numbering.log.appender()
  const sent = Array.from({ length: count * partitions }, (_, at) =>
    appender.append({ topic: numbering.input, partition: at % partitions, key: 'key', value: '-' }),
  )
  await Promise.all(sent)
  await appender.close()
  appended += count
}

function tasks(streams: Streams): string {
  const all = streams.state().tasks.map(({ taskId, role, status }) => `${taskId} ${role} ${status}`)
  return all.toSorted().join(', ')
}

const lag = (streams: Streams): number => streams.state().tasks.reduce((sum, task) => sum + task.lag, 0)

it('a standby goes on where its owner was cut off, and reads the tail of the changelog only', async () => {
  const proxy = await proxied(kafka())
  const first = await numbering.start(await connect(proxy.brokers), 'first', { standbys: 1 })
  await append(before)
  await numbering.expectNumbered(appended)
  const { metrics, of } = restoredRecords()
  const second = await numbering.start(numbering.log, 'second', {
    standbys: 1,
    metrics,
    warmUp: { acceptableLag },
  })
  const both = new Set([
    '0_0 active running, 0_1 standby following',
    '0_0 standby following, 0_1 active running',
  ])
  await eventually('each follows the other', () => {
    return both.has(tasks(first)) && both.has(tasks(second)) && lag(first) + lag(second) === 0
  })
  await append(500)
  await numbering.expectNumbered(appended)
  await eventually('the copies have it', () => lag(second) === 0)
  expect(of('standby') + of('warm-up')).toBeGreaterThan(before)
  const restored = of('active')
  proxy.refuse()
  await eventually('the second runs both', () => tasks(second) === '0_0 active running, 0_1 active running')
  // Transactions of the end that it had not seen when its owner died.
  expect(of('active') - restored).toBeLessThanOrEqual(acceptableLag)
  await append(100)
  await numbering.expectNumbered(appended)
})

it('a task with a large state moves when it is warmed up, and is worked on meanwhile', async () => {
  const options = { warmUp: { acceptableLag, tasksMax: 1 } }
  const first = await numbering.start(numbering.log, 'first', options)
  await append(before)
  await numbering.expectNumbered(appended)
  const { metrics, of } = restoredRecords()
  const second = await numbering.start(await connect(kafka().brokers), 'second', { ...options, metrics })
  let alone = 0
  await eventually('the second runs one', async () => {
    // The copy that moves is behind by what comes meanwhile: little, however long that takes.
    await append(2)
    const runs = (streams: Streams): number =>
      streams.state().tasks.filter(({ role, status }) => role === 'active' && status === 'running').length
    if (runs(second) === 0 && runs(first) === partitions) alone++
    return runs(first) === 1 && runs(second) === 1
  })
  expect(alone).toBeGreaterThan(0)
  expect(of('warm-up')).toBeGreaterThan(before - acceptableLag)
  expect(of('active')).toBeLessThanOrEqual(2 * acceptableLag)
  await append(100)
  await numbering.expectNumbered(appended)
})
