import { describe, expect, onTestFinished, test } from 'vitest'
import type { Metrics } from '#core'
import type { Log, TransactionRequest } from '#log'
import { TopologyBuilder, TopologyTestDriver, keyValueStore, output, utf8 } from '#topology'
import type { Topology } from '#topology'
import { EngineHarness } from './testing/engine-harness.ts'
import { ManualClock } from './testing/manual-clock.ts'
import { scriptedLog } from './testing/scripted-log.ts'
import type { ScriptedOutcome } from './testing/scripted-log.ts'

const source = { name: 'source', topics: ['in'], key: utf8, value: utf8 } as const
const topics = ['in', 'out'].map((name) => ({
  name,
  partitions: 2,
  settings: { cleanup: 'delete' as const },
}))

async function open(): Promise<EngineHarness> {
  const harness = await EngineHarness.open(topics)
  onTestFinished(() => harness.close())
  return harness
}

/**
 * Sums values, and tells the sum every 50 ms of stream time. `watch` adds a second punctuator that counts its calls
 * down from 3 in the store and then ends, so its timer has to survive restarts and rollbacks.
 */
function summing(): Topology {
  const builder = new TopologyBuilder()
  const sums = keyValueStore({ name: 'sums', key: utf8, value: utf8 })
  const { told } = builder.processor({
    name: 'sum',
    from: builder.source(source),
    stores: { sums },
    outputs: { told: output<string, string>() },
    init({ stores, emit, schedule, streamTime }) {
      const read = (key: string): number => Number(stores.sums.get(key) ?? 0)
      const watch = (): void => {
        const timer = schedule({
          name: 'watch',
          every: 20,
          by: 'stream-time',
          punctuate(timestamp) {
            const left = read('left') - 1
            emit.told('watch', `${left} left at ${timestamp}`)
            if (left === 0) {
              stores.sums.delete('left')
              timer.cancel()
            } else stores.sums.put('left', String(left))
          },
        })
      }
      schedule({
        name: 'tell',
        every: 50,
        by: 'stream-time',
        punctuate: (timestamp) => emit.told('sum', `${read('sum')} at ${timestamp}, time ${streamTime()}`),
      })
      return {
        process({ value }) {
          stores.sums.put('sum', String(read('sum') + Number(value.split(' ')[0])))
          if (!value.endsWith('watch') || read('left') > 0) return
          stores.sums.put('left', '3')
          watch()
        },
        resume() {
          if (read('left') > 0) watch()
        },
      }
    },
  })
  builder.sink({ name: 'sink', from: told, topic: 'out', key: utf8, value: utf8, samePartition: true })
  return builder.build()
}

/** Values and times that pass instants singly, several at once, not at all, and backwards. */
const input = Array.from({ length: 80 }, (_, at) => ({
  partition: at % 2,
  value: at % 9 === 0 ? `${at} watch` : String(at),
  timestamp: 1_000_003 + at * 17 + (at % 13 === 0 ? 160 : 0) - (at % 5) * 3,
}))

function expectedOutputs(): string[][] {
  const driver = new TopologyTestDriver(summing(), { partitions: 2 })
  for (const { value, ...options } of input) driver.inputTopic(source).pipe('k', value, options)
  return byPartition(driver.outputTopic('out', utf8, utf8).readAll())
}

function byPartition(
  records: readonly { partition: number; key: string | null; value: string | null }[],
): string[][] {
  return [0, 1].map((own) =>
    records.filter(({ partition }) => partition === own).map(({ key, value }) => `${key}: ${value}`),
  )
}

async function append(harness: EngineHarness, records: typeof input): Promise<void> {
  const appender = harness.log.appender()
  await Promise.all(records.map((record) => appender.append({ topic: 'in', key: 'k', ...record })))
  await appender.close()
}

describe('by stream time', () => {
  const scripts: readonly (readonly ScriptedOutcome[])[] = [
    [],
    ['aborted', 'committed', 'aborted'],
    ['committed', 'unknown-committed', 'unknown-aborted', 'committed', 'aborted', 'unknown-committed'],
  ]
  test.each(scripts.map((script) => [script.join(', ') || 'well', script] as const))(
    'outputs are those of an undisturbed run, with commits that end %s and restarts',
    async (_, script) => {
      const harness = await open()
      const expected = expectedOutputs()
      expect(expected.flat().length).toBeGreaterThan(20)
      const options = { log: scriptedLog(harness.log, [...script]), limits: { recordsMax: 6 } }
      for (let from = 0; from < input.length; from += 27) {
        const until = Math.min(from + 27, input.length)
        const streams = await harness.start(summing(), options)
        await append(harness, input.slice(from, until))
        await processed(harness, until)
        await streams.stop()
      }
      expect(byPartition(await harness.read('out'))).toEqual(expected)
    },
  )
})

/** Waits until the group has committed so many input records. */
async function processed(harness: EngineHarness, count: number): Promise<void> {
  const partitions = [0, 1].map((partition) => ({ topic: 'in', partition }))
  for (;;) {
    const committed = await harness.log.admin.committedOffsets('app', partitions, { requireStable: true })
    if (committed.reduce((sum, { offset }) => sum + (offset ?? 0), 0) >= count) return
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Tells the instants of a wall-clock punctuator, and throws at those in `bad`. */
function flushing(bad: readonly number[] = []): Topology {
  const builder = new TopologyBuilder()
  const flushes = keyValueStore({ name: 'flushes', key: utf8, value: utf8 })
  const { told } = builder.processor({
    name: 'flush',
    from: builder.source(source),
    stores: { flushes },
    outputs: { told: output<string, string>() },
    wallClock: true,
    init({ stores, emit, schedule }) {
      const punctuate = (timestamp: number): void => {
        const count = Number(stores.flushes.get('count') ?? 0) + 1
        stores.flushes.put('count', String(count))
        emit.told('flush', `${count} at ${timestamp}`)
        if (bad.includes(timestamp)) throw new Error('no flush')
      }
      schedule({ name: 'flush', every: 100, by: 'wall-clock', punctuate })
      return { process: ({ key, value }) => emit.told(key, value) }
    },
  })
  builder.sink({ name: 'sink', from: told, topic: 'out', key: utf8, value: utf8, samePartition: true })
  return builder.build()
}

/** Notes what is asked of every transaction. */
function notingLog(log: Log, requests: TransactionRequest[]): Log {
  return {
    ...log,
    appender: (options) => log.appender(options),
    reader: (options) => log.reader(options),
    join: (options) => log.join(options),
    async transactor(id, options) {
      const transactor = await log.transactor(id, options)
      return {
        transactionalId: id,
        prepare(request) {
          requests.push(request)
          return transactor.prepare(request)
        },
        commit: () => transactor.commit(),
        abort: () => transactor.abort(),
        close: () => transactor.close(),
      }
    },
    close: () => log.close(),
  }
}

function keepAdvancing(clock: ManualClock, ms: number): void {
  const advancing = setInterval(() => clock.advance(ms), 1)
  onTestFinished(() => clearInterval(advancing))
}

async function running(
  script: readonly ScriptedOutcome[] = [],
  options: { topology?: Topology; metrics?: Metrics; onPoison?: 'dlq' | 'fail' } = {},
) {
  const harness = await open()
  const clock = new ManualClock(1_000_050)
  const requests: TransactionRequest[] = []
  const log = notingLog(scriptedLog(harness.log, [...script]), requests)
  const { topology = flushing(), ...rest } = options
  const streams = await harness.start(topology, { ...rest, log, clock })
  while (!streams.state().ready || streams.state().tasks.length < 2) await clock.yield()
  return { harness, clock, requests, streams }
}

describe('by wall clock', () => {
  test('fires without input, in a transaction that carries the offsets of every task', async () => {
    const { harness, clock, requests } = await running()
    clock.advance(50)
    const outputs = await harness.readAtLeast('out', 2)
    expect(byPartition(outputs)).toEqual([['flush: 1 at 1000100'], ['flush: 1 at 1000100']])
    expect(requests.flatMap(({ offsets }) => offsets)).toMatchObject([
      { topic: 'in', partition: 0, offset: 0 },
      { topic: 'in', partition: 1, offset: 0 },
    ])
    clock.advance(100)
    expect(byPartition(await harness.readAtLeast('out', 4))[1]).toEqual([
      'flush: 1 at 1000100',
      'flush: 2 at 1000200',
    ])
  })

  test('fires again when its transaction was aborted', async () => {
    const { harness, clock } = await running(['aborted'])
    clock.advance(50)
    // The pause before starting over goes by the same clock.
    keepAdvancing(clock, 1)
    const outputs = await harness.readAtLeast('out', 2)
    expect(byPartition(outputs)[0]?.[0]).toMatch(/^flush: 1 at 1000[12]00$/)
  })

  test('counts in the store exactly once, whatever becomes of a commit', async () => {
    const { harness, clock } = await running(['unknown-committed', 'committed', 'unknown-aborted'])
    keepAdvancing(clock, 10)
    const outputs = await harness.readAtLeast('out', 20)
    for (const told of byPartition(outputs)) {
      expect(told.map((text) => Number(text.split(' ')[1]))).toEqual(told.map((_, at) => at + 1))
      const instants = told.map((text) => text.split(' ')[3])
      expect(new Set(instants).size).toBe(instants.length)
    }
  })

  test('one that throws is taken back, counted and skipped', async () => {
    const failed: string[] = []
    const instrument = { add: () => {}, set: () => {}, observe: () => {} }
    const metrics: Metrics = {
      counter: ({ name }) => ({
        add(_by, labels) {
          if (name === 'streams_punctuators_failed_total') failed.push(String(labels?.['punctuator']))
        },
      }),
      gauge: () => instrument,
      observableGauge: () => instrument.add,
      histogram: () => instrument,
    }
    const { harness, clock, requests } = await running([], { topology: flushing([1_000_100]), metrics })
    clock.advance(50)
    while (failed.length < 2) await clock.yield()
    expect(requests).toEqual([])
    clock.advance(100)
    expect(byPartition(await harness.readAtLeast('out', 2))[0]).toEqual(['flush: 1 at 1000200'])
    expect(await harness.read('in.dlq')).toEqual([])
  })

  test('one that throws stops with the handler "fail"', async () => {
    const { clock, streams } = await running([], { topology: flushing([1_000_100]), onPoison: 'fail' })
    clock.advance(50)
    expect(await streams.failed).toMatchObject({ code: 'PROCESSOR_PUNCTUATOR' })
  })
})
