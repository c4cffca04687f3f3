/** Stream threads of several processes in one group on real Kafka: sharing, dying, waking up too late. */
import { cp } from 'node:fs/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { silentLogger, systemClock } from '#core'
import type { Logger } from '#core'
import type { Streams } from '#processor'
import { apiKeys, kafka } from '../../servers/kafka/index.ts'
import { eventually } from '../../system/eventually.ts'
import { connect, proxied } from '../driver/kafka-logs.ts'
import { Numbering } from './numbering.ts'

const partitions = 4

let numbering: Numbering
const loads: { stop(): Promise<number> }[] = []

beforeEach(async () => {
  numbering = await Numbering.open(partitions)
})
afterEach(async () => {
  await Promise.all(loads.splice(0).map((one) => one.stop()))
  await numbering.close()
})

/** What a stream thread has logged. */
function recorder(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = []
  const note = (_fields: object, message: string): void => void lines.push(message)
  const logger: Logger = { ...silentLogger, info: note, warn: note, error: note, child: () => logger }
  return { logger, lines }
}

/** One record after the other into each partition, until told to stop; how many each of them got. */
function load(): { stop(): Promise<number> } {
  const appender = numbering.log.appender()
  let stopped = false
  const run = async (): Promise<number> => {
    for (let count = 0; ; count++) {
      if (stopped) return count
      await Promise.all(
        Array.from({ length: partitions }, (_, partition) =>
          appender.append({ topic: numbering.input, partition, key: 'key', value: '-' }),
        ),
      )
      await systemClock.sleep(2)
    }
  }
  const counted = run()
  const started = {
    async stop() {
      stopped = true
      const count = await counted
      await appender.close()
      return count
    },
  }
  loads.push(started)
  return started
}

function runs(streams: Streams): number {
  return streams.state().tasks.filter(({ status }) => status === 'running').length
}

it('a second process takes its half under load, and the first has all again when it stops', async () => {
  const asked = load()
  const first = await numbering.start(numbering.log, 'first')
  await eventually('the first runs all', () => runs(first) === partitions)
  const second = await numbering.start(await connect(kafka().brokers), 'second')
  await eventually('both run half', () => runs(first) === 2 && runs(second) === 2)
  await systemClock.sleep(300)
  await second.stop()
  await eventually('the first runs all again', () => runs(first) === partitions)
  await numbering.expectNumbered(await asked.stop())
})

it('what a process that is cut off in the middle of a transaction had is gone on with, and it comes back', async () => {
  const proxy = await proxied(kafka())
  const asked = load()
  const first = await numbering.start(await connect(proxy.brokers), 'first')
  await eventually('the first runs all', () => runs(first) === partitions)
  const { logger, lines } = recorder()
  const second = await numbering.start(await connect(kafka().brokers), 'second', { logger })
  await eventually('both run half', () => runs(first) === 2 && runs(second) === 2)
  const open = proxy.rule({ direction: 'request', apiKey: apiKeys.endTxn }, 'drop')
  await open.hit
  proxy.refuse()
  open.release()
  await eventually('the second runs all', () => runs(second) === partitions)
  expect(lines).toContain('taking over the transactional id of a former owner')
  proxy.restore()
  await eventually('both run half again', () => runs(first) === 2 && runs(second) === 2)
  await systemClock.sleep(300)
  expect(first.state().thread).toBe('running')
  await numbering.expectNumbered(await asked.stop())
})

it.each([
  ['before it had sent its offsets', apiKeys.txnOffsetCommit],
  ['before it was decided', apiKeys.endTxn],
])(
  'what a process that died in its first transaction, %s, left open is ended, too',
  async (_when, apiKey) => {
    const proxy = await proxied(kafka())
    const first = await numbering.start(await connect(proxy.brokers), 'first')
    await eventually('the first runs all', () => runs(first) === partitions)
    const unsent = proxy.rule({ direction: 'request', apiKey }, 'drop')
    const asked = load()
    await unsent.hit
    proxy.refuse()
    unsent.release()
    const { logger, lines } = recorder()
    const second = await numbering.start(await connect(kafka().brokers), 'second', { logger })
    await eventually('the second runs all', () => runs(second) === partitions)
    expect(lines).toContain('taking over the transactional id of a former owner')
    proxy.restore()
    await numbering.expectNumbered(await asked.stop())
  },
)

it('a process that comes back before its session has run out has its tasks at once, and nobody else moves', async () => {
  const proxy = await proxied(kafka())
  const asked = load()
  const first = await numbering.start(await connect(proxy.brokers), 'first')
  const { logger, lines } = recorder()
  const second = await numbering.start(numbering.log, 'second', { logger })
  await eventually('both run half', () => runs(first) === 2 && runs(second) === 2)
  const tasksOf = (streams: Streams): string[] =>
    streams
      .state()
      .tasks.map(({ taskId }) => taskId)
      .toSorted()
  const had = tasksOf(first)
  const changes = lines.filter((line) => line === 'task state changed').length
  // Connecting takes time, and the session runs from the cut on.
  const returning = await connect(kafka().brokers)
  proxy.refuse()
  // As a crash leaves it. The process itself is left alone, a zombie.
  await cp(numbering.stateDir('first'), numbering.stateDir('again'), { recursive: true })
  const again = await numbering.start(returning, 'again')
  await eventually('it runs what it had', () => runs(again) === 2)
  expect(tasksOf(again)).toEqual(had)
  expect(lines.filter((line) => line === 'task state changed').length).toBe(changes)
  proxy.restore()
  expect(await first.failed).toMatchObject({ code: 'PROCESSOR_FENCED' })
  await numbering.expectNumbered(await asked.stop())
})

it('a stop that gives up a transaction leaves the group all the same', async () => {
  const proxy = await proxied(kafka())
  const halt = new AbortController()
  const asked = load()
  const first = await numbering.start(await connect(proxy.brokers, { signal: halt.signal }), 'first')
  const second = await numbering.start(numbering.log, 'second')
  await eventually('both run half', () => runs(first) === 2 && runs(second) === 2)
  const hanging = proxy.rule({ direction: 'request', apiKey: apiKeys.endTxn }, 'hold')
  await hanging.hit
  halt.abort()
  await first.stop()
  expect(proxy.requests(apiKeys.leaveGroup)).toBe(1)
  await eventually('the second runs all', () => runs(second) === partitions)
  await numbering.expectNumbered(await asked.stop())
})
