import { rm } from 'node:fs/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { silentLogger, systemClock } from '#core'
import { logError } from '#log'
import type { Log, TopicSpec } from '#log'
import { TopologyBuilder, keyValueStore, output, utf8 } from '#topology'
import type { Topology } from '#topology'
import { startStreams } from './streams.ts'
import { EngineHarness } from './testing/engine-harness.ts'
import { scriptedLog } from './testing/scripted-log.ts'
import type { ScriptedOutcome } from './testing/scripted-log.ts'

const topic = (name: string, partitions = 1): TopicSpec => ({
  name,
  partitions,
  settings: { cleanup: 'delete', timestamps: name === 'in' ? 'log-append' : 'create' },
})

/** Counts values by key, and tells each count. `boom` throws midway; `big` makes an output beyond the limit. */
function counting(): Topology {
  const builder = new TopologyBuilder()
  const counts = keyValueStore({ name: 'counts', key: utf8, value: utf8 })
  const input = builder.source({ name: 'source', topics: ['in'], key: utf8, value: utf8 })
  const { told } = builder.processor({
    name: 'count',
    from: input,
    stores: { counts },
    outputs: { told: output<string, string>() },
    init: ({ stores, emit }) => ({
      process({ key, value }) {
        const count = Number(stores.counts.get(key) ?? 0) + 1
        stores.counts.put(key, String(count))
        emit.told(key, value === 'big' ? 'x'.repeat(2 << 20) : String(count))
        if (value === 'boom') throw new Error('boom')
      },
      onPoison: ({ key }) => emit.told(key, 'poison'),
    }),
  })
  builder.sink({ name: 'sink', from: told, topic: 'out', key: utf8, value: utf8, samePartition: true })
  return builder.build()
}

const unreachable = (): Error => logError('LOG_UNAVAILABLE', 'The log is away. Try again.')

/** Keeps all that was ever said under a key. */
function hoarding(): Topology {
  const builder = new TopologyBuilder()
  const said = keyValueStore({ name: 'said', key: utf8, value: utf8 })
  const { done } = builder.processor({
    name: 'hoard',
    from: builder.source({ name: 'source', topics: ['in'], key: utf8, value: utf8 }),
    stores: { said },
    outputs: { done: output<string, string>() },
    init: ({ stores, emit }) => ({
      process({ key, value }) {
        stores.said.put(key, (stores.said.get(key) ?? '') + value)
        emit.done(key, 'done')
      },
    }),
  })
  builder.sink({ name: 'sink', from: done, topic: 'out', key: utf8, value: utf8, samePartition: true })
  return builder.build()
}

async function open(partitions = 1): Promise<EngineHarness> {
  const harness = await EngineHarness.open([topic('in', partitions), topic('out', partitions)])
  onTestFinished(() => harness.close())
  return harness
}

const told = (records: readonly { key: string | null; value: string | null }[]): string[] =>
  records.map(({ key, value }) => `${key}=${value}`)

describe('exactly once', () => {
  test('each record has its output, its state and its position in one transaction', async () => {
    const harness = await open()
    await harness.start(counting())
    await harness.append('in', [
      ['a', '-'],
      ['b', '-'],
      ['a', '-'],
    ])
    expect(told(await harness.readAtLeast('out', 3))).toEqual(['a=1', 'b=1', 'a=2'])
    const [committed] = await harness.log.admin.committedOffsets('app', [{ topic: 'in', partition: 0 }], {
      requireStable: true,
    })
    expect(committed?.offset).toBe(3)
  })

  test('a restart goes on where it was, with its state on disk and without it', async () => {
    const harness = await open()
    const first = await harness.start(counting())
    await harness.append('in', [['a', '-']])
    await harness.readAtLeast('out', 1)
    await first.stop()
    await harness.append('in', [['a', '-']])
    const second = await harness.start(counting())
    expect(told(await harness.readAtLeast('out', 2))).toEqual(['a=1', 'a=2'])
    await second.stop()
    await rm(harness.stateDir, { recursive: true })
    await harness.start(counting())
    await harness.append('in', [['a', '-']])
    expect(told(await harness.readAtLeast('out', 3))).toEqual(['a=1', 'a=2', 'a=3'])
  })

  const scripts: readonly (readonly ScriptedOutcome[])[] = [
    ['aborted'],
    ['unknown-committed'],
    ['unknown-aborted'],
    ['committed', 'unknown-committed', 'aborted', 'committed', 'unknown-aborted', 'unknown-committed'],
  ]
  test.each(scripts.map((script) => [script.join(', '), script] as const))(
    'commits that end %s neither lose nor repeat a record',
    async (_, script) => {
      const harness = await open(2)
      const log = scriptedLog(harness.log, [...script])
      const streams = await harness.start(counting(), { log, limits: { recordsMax: 7 } })
      const keys = ['a', 'b', 'c']
      const input = Array.from({ length: 60 }, (_unused, at): [string, string] => [
        keys[at % 3] as string,
        '-',
      ])
      await harness.append('in', input)
      const expected = input.map(([key], at) => `${key}=${Math.floor(at / 3) + 1}`)
      expect(told(await harness.readAtLeast('out', 60))).toEqual(expected)
      expect(streams.state().thread).toBe('running')
    },
  )

  test('stopping ends a recovery that waits for the log', async () => {
    const harness = await open()
    const away = Promise.withResolvers<void>()
    const script = scriptedLog(harness.log, ['unknown-committed'])
    let commits = 0
    const log: Log = {
      ...script,
      // Reachable until the first commit; then neither offsets nor transactional ids can be had.
      admin: {
        ...script.admin,
        committedOffsets: (...request) =>
          commits > 0 ? Promise.reject(unreachable()) : script.admin.committedOffsets(...request),
      },
      transactor: async (id, options) => {
        if (commits > 0 && id.endsWith('-1')) {
          away.resolve()
          throw unreachable()
        }
        const transactor = await script.transactor(id, options)
        return {
          ...transactor,
          commit() {
            commits++
            return transactor.commit()
          },
        }
      },
    }
    const streams = await harness.start(counting(), { log })
    await harness.append('in', [['a', '-']])
    await away.promise
    await streams.stop()
    expect(streams.state().thread).toBe('stopped')
  })

  test('a thread that is fenced again and again stops, and says so', async () => {
    const harness = await open()
    const streams = await harness.start(counting(), { log: scriptedLog(harness.log, ['fenced', 'fenced']) })
    await harness.append('in', [['a', '-']])
    expect(await streams.failed).toMatchObject({ code: 'PROCESSOR_FENCED' })
    expect(await harness.read('out')).toEqual([])
  })

  test('a thread whose transactional id was taken by mistake takes it back', async () => {
    const harness = await open()
    await harness.start(counting(), { log: scriptedLog(harness.log, ['fenced']) })
    await harness.append('in', [
      ['a', '-'],
      ['a', '-'],
    ])
    expect(await harness.readAtLeast('out', 2)).toMatchObject([{ value: '1' }, { value: '2' }])
  })

  test('state is the fold of the changelog', async () => {
    const harness = await open()
    await harness.start(counting(), { limits: { recordsMax: 5 } })
    await harness.append(
      'in',
      Array.from({ length: 50 }, (_, at): [string, string] => [`k${at % 4}`, '-']),
    )
    await harness.readAtLeast('out', 50)
    const latest = new Map<string, string>()
    for (const { key, value } of await harness.read('app-counts-changelog'))
      latest.set(key ?? '', value ?? '')
    const counts = [...latest]
      .filter(([key]) => key.startsWith('\u0001'))
      .map(([key, value]) => [key.slice(1), value])
    expect(counts).toEqual([
      ['k0', '13'],
      ['k1', '13'],
      ['k2', '12'],
      ['k3', '12'],
    ])
  })
})

describe('poison', () => {
  test('a record that throws is set aside alone, answered, and leaves no write behind', async () => {
    const harness = await open()
    await harness.start(counting())
    await harness.append('in', [
      ['a', '-'],
      ['a', 'boom'],
      ['a', 'big'],
      ['a', '-'],
    ])
    expect(told(await harness.readAtLeast('out', 4))).toEqual(['a=1', 'a=poison', 'a=poison', 'a=2'])
    const [boom, big] = await harness.readAtLeast('in.dlq', 2)
    expect(boom).toMatchObject({ key: 'a', value: 'boom' })
    const headers = Object.fromEntries(boom?.headers.map(({ key, value }) => [key, value]) ?? [])
    expect(headers).toEqual({
      'dlq-topic': 'in',
      'dlq-partition': '0',
      'dlq-offset': '1',
      'dlq-code': 'PROCESSOR_POISON',
      'dlq-message': 'boom',
      'dlq-attempt': '1',
    })
    expect(big?.headers.find(({ key }) => key === 'dlq-code')?.value).toBe('PROCESSOR_OUTPUT_TOO_LARGE')
  })

  test('a record that cannot be decoded is set aside without an answer', async () => {
    const harness = await open()
    await harness.start(counting())
    await harness.append('in', [
      ['a', null],
      ['a', '-'],
    ])
    expect(told(await harness.readAtLeast('out', 1))).toEqual(['a=1'])
    expect(await harness.read('in.dlq')).toHaveLength(1)
  })

  test('with the handler "fail" the thread stops before the record', async () => {
    const harness = await open()
    const streams = await harness.start(counting(), { onPoison: 'fail' })
    await harness.append('in', [['a', 'boom']])
    expect(await streams.failed).toMatchObject({ code: 'PROCESSOR_POISON' })
    await streams.stop()
    expect(await harness.read('in.dlq')).toEqual([])
    await harness.start(counting())
    expect(told(await harness.readAtLeast('out', 1))).toEqual(['a=poison'])
  })
})

test('a transaction is bounded by the bytes of state that it writes', async () => {
  const harness = await open()
  const script: ScriptedOutcome[] = Array.from({ length: 1000 }, () => 'committed')
  await harness.append(
    'in',
    Array.from({ length: 60 }, (_, at): [string, string] => [`k${at}`, 'x'.repeat(100_000)]),
  )
  await harness.start(hoarding(), { log: scriptedLog(harness.log, script), limits: { bytesMax: 1 << 20 } })
  await harness.readAtLeast('out', 60)
  // 6 MB of state in transactions of about 1 MiB.
  expect(1000 - script.length).toBeGreaterThanOrEqual(5)
})

test('an entry larger than its changelog takes stops the thread, and nothing of it is written', async () => {
  const harness = await open()
  const streams = await harness.start(hoarding())
  await harness.append('in', [['a', 'x'.repeat(600_000)]])
  await harness.readAtLeast('out', 1)
  await harness.append('in', [['a', 'x'.repeat(600_000)]])
  expect(await streams.failed).toMatchObject({ code: 'PROCESSOR_OUTPUT_TOO_LARGE' })
  expect(await harness.read('out')).toHaveLength(1)
})

describe('start', () => {
  test('a state directory has one process', async () => {
    const harness = await open()
    await harness.start(counting())
    await expect(harness.start(counting())).rejects.toMatchObject({ code: 'PROCESSOR_STATE_IN_USE' })
  })

  test('a missing topic is named', async () => {
    const harness = await EngineHarness.open([topic('in')])
    onTestFinished(() => harness.close())
    await expect(harness.start(counting())).rejects.toThrow(/Topics do not exist: out/)
  })

  test('partition counts that do not fit are named', async () => {
    const harness = await EngineHarness.open([topic('in', 2), topic('out', 3)])
    onTestFinished(() => harness.close())
    await expect(harness.start(counting())).rejects.toThrow(/out has 3/)
  })

  test('state without a position stops instead of reading from the beginning', async () => {
    const harness = await open()
    const first = await harness.start(counting())
    await harness.append('in', [['a', '-']])
    await harness.readAtLeast('out', 1)
    await first.stop()
    await harness.log.admin.deleteRecords([{ topic: 'in', partition: 0, offset: 1 }])
    await harness.append('in', [['a', '-']])
    await harness.log.admin.deleteRecords([{ topic: 'in', partition: 0, offset: 2 }])
    const second = await harness.start(counting())
    expect(await second.failed).toMatchObject({ code: 'PROCESSOR_POSITION_LOST' })
  })

  test('the position in the changelog stands in for offsets that expired', async () => {
    const harness = await open()
    const first = await harness.start(counting())
    await harness.append('in', [['a', '-']])
    await harness.readAtLeast('out', 1)
    await first.stop()
    await harness.log.admin.deleteGroup('app')
    await harness.start(counting())
    await harness.append('in', [['a', '-']])
    expect(told(await harness.readAtLeast('out', 2))).toEqual(['a=1', 'a=2'])
  })

  test('outputs that another application id has written are not written again', async () => {
    const harness = await open()
    const first = await harness.start(counting(), { exclusiveOutputs: true })
    await harness.append('in', [['a', '-']])
    await harness.readAtLeast('out', 1)
    await first.stop()
    const other = await harness.start(counting(), { exclusiveOutputs: true, appId: 'other' })
    expect(await other.failed).toMatchObject({ code: 'PROCESSOR_OTHER_APP' })
    await other.stop()
    await rm(harness.stateDir, { recursive: true })
    await harness.start(counting(), { exclusiveOutputs: true })
    await harness.append('in', [['a', '-']])
    expect(told(await harness.readAtLeast('out', 2))).toEqual(['a=1', 'a=2'])
  })

  test('stopping twice is stopping once', async () => {
    const harness = await open()
    const streams = await startStreams({
      topology: counting(),
      log: harness.log,
      appId: 'app',
      stateDir: harness.stateDir,
      clock: systemClock,
      logger: silentLogger,
    })
    await Promise.all([streams.stop(), streams.stop()])
    expect(streams.state().thread).toBe('stopped')
  })
})
