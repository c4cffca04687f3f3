import { describe, expect, onTestFinished, test } from 'vitest'
import type { TopicPartition } from '#log'
import { partitionOf } from '#log'
import { TopologyBuilder, keyValueStore, output, utf8 } from '#topology'
import type { Topology } from '#topology'
import { EngineHarness } from './testing/engine-harness.ts'
import { scriptedLog } from './testing/scripted-log.ts'
import type { ScriptedOutcome } from './testing/scripted-log.ts'

const repartition = 'app-words-repartition'
const topics = [
  { name: 'lines', partitions: 3, settings: { cleanup: 'delete' as const } },
  { name: 'counts', partitions: 3, settings: { cleanup: 'delete' as const } },
]

/** lines → words, partitioned by word → a count for each. The word `boom` fails in the second subtopology. */
function wordCount(partitions?: number): Topology {
  const builder = new TopologyBuilder()
  const split = builder.processor({
    name: 'split',
    from: builder.source({ name: 'lines', topics: ['lines'], key: utf8, value: utf8 }),
    outputs: { word: output<string, string>() },
    init: ({ emit }) => ({
      process({ key, value }) {
        for (const each of value.split(' ')) emit.word(each, key)
      },
    }),
  })
  const asked = partitions === undefined ? {} : { partitions }
  const from = builder.repartition({ name: 'words', from: split.word, key: utf8, value: utf8, ...asked })
  const counts = keyValueStore({ name: 'counts', key: utf8, value: utf8 })
  const counted = builder.processor({
    name: 'count',
    from,
    stores: { counts },
    outputs: { count: output<string, string>() },
    init: ({ stores, emit }) => ({
      process({ key }) {
        if (key === 'boom') throw new Error('boom')
        const next = String(Number(stores.counts.get(key) ?? 0) + 1)
        stores.counts.put(key, next)
        emit.count(key, next)
      },
    }),
  })
  builder.sink({ name: 'sink', from: counted.count, topic: 'counts', key: utf8, value: utf8 })
  return builder.build()
}

async function open(): Promise<EngineHarness> {
  const harness = await EngineHarness.open(topics)
  onTestFinished(() => harness.close())
  return harness
}

const words = ['apple', 'pear', 'plum', 'fig', 'kiwi', 'lime', 'date']
/** Line `at` says three words; every word comes from every partition. */
const lines = Array.from({ length: 120 }, (_, at) => ({
  partition: at % 3,
  value: [at, at * 3 + 1, at * 5 + 2].map((word) => words[word % words.length]).join(' '),
}))

async function append(harness: EngineHarness, some: readonly { partition: number; value: string }[]) {
  const appender = harness.log.appender()
  await Promise.all(some.map((line) => appender.append({ topic: 'lines', key: 'k', ...line })))
  await appender.close()
}

function totals(): Map<string, number> {
  const found = new Map<string, number>()
  for (const { value } of lines)
    for (const word of value.split(' ')) found.set(word, (found.get(word) ?? 0) + 1)
  return found
}

/** Each word was told 1, 2, 3 … up to its total, in the partition of its key. */
async function expectCountedOnce(harness: EngineHarness): Promise<void> {
  const told = await harness.read('counts')
  for (const [word, total] of totals()) {
    const own = told.filter(({ key }) => key === word)
    expect(own.map(({ value }) => Number(value))).toEqual(Array.from({ length: total }, (_, at) => at + 1))
    expect(new Set(own.map(({ partition }) => partition))).toEqual(new Set([partitionOf(word, 3)]))
  }
  expect(told).toHaveLength(lines.length * 3)
}

function partitionsOf(topic: string): TopicPartition[] {
  return [0, 1, 2].map((partition) => ({ topic, partition }))
}

describe('word count over a repartition topic', () => {
  const scripts: readonly (readonly ScriptedOutcome[])[] = [
    [],
    ['aborted', 'committed', 'unknown-aborted'],
    [
      'committed',
      'unknown-committed',
      'aborted',
      'committed',
      'committed',
      'unknown-aborted',
      'unknown-committed',
    ],
  ]
  test.each(scripts.map((script) => [script.join(', ') || 'well', script] as const))(
    'counts every word exactly once, restarted in the middle, with commits that end %s',
    async (_, script) => {
      const harness = await open()
      const log = scriptedLog(harness.log, [...script])
      const options = { log, limits: { recordsMax: 10 }, repartitionPurge: { records: 20 } }
      const first = await harness.start(wordCount(), options)
      await append(harness, lines.slice(0, 70))
      await harness.readAtLeast('counts', 100)
      await first.stop()
      await append(harness, lines.slice(70))
      const second = await harness.start(wordCount(), options)
      await harness.readAtLeast('counts', lines.length * 3)
      await second.stop()
      await expectCountedOnce(harness)
    },
  )

  test('deletes what is processed from its own topic, never beyond the committed offsets', async () => {
    const harness = await open()
    const streams = await harness.start(wordCount(), {
      limits: { recordsMax: 10 },
      repartitionPurge: { records: 20 },
    })
    await append(harness, lines)
    await harness.readAtLeast('counts', lines.length * 3)
    await streams.stop()
    const edges = await harness.log.admin.offsets(partitionsOf(repartition))
    const committed = await harness.log.admin.committedOffsets('app', partitionsOf(repartition), {
      requireStable: true,
    })
    const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0)
    expect(sum(edges.map(({ start }) => start))).toBeGreaterThan(200)
    for (const [at, { start }] of edges.entries()) {
      expect(start).toBeLessThanOrEqual(committed[at]?.offset ?? 0)
    }
    const inputs = await harness.log.admin.offsets(partitionsOf('lines'))
    expect(inputs.map(({ start }) => start)).toEqual([0, 0, 0])
  })
})

describe('the topic', () => {
  test('has the partitions of the source, and is kept until it is purged', async () => {
    const harness = await open()
    await harness.start(wordCount())
    const description = (await harness.log.admin.describeTopics([repartition])).get(repartition)
    expect(description).toMatchObject({ partitions: 3, settings: { cleanup: 'delete', retentionMs: -1 } })
  })

  test('has the partitions that were asked for', async () => {
    const harness = await open()
    const streams = await harness.start(wordCount(5))
    const described = await harness.log.admin.describeTopics([repartition, 'app-counts-changelog'])
    expect([...described.values()].map(({ partitions }) => partitions)).toEqual([5, 5])
    while (streams.state().tasks.length < 8) await new Promise((resolve) => setImmediate(resolve))
    const ids = streams.state().tasks.map(({ taskId }) => taskId)
    expect(ids.toSorted()).toEqual(['0_0', '0_1', '0_2', '1_0', '1_1', '1_2', '1_3', '1_4'])
  })

  test('has dead letters of its own', async () => {
    const harness = await open()
    await harness.start(wordCount())
    await append(harness, [{ partition: 1, value: 'apple boom apple' }])
    expect((await harness.readAtLeast('counts', 2)).map(({ value }) => value)).toEqual(['1', '2'])
    const [letter] = await harness.readAtLeast(`${repartition}.dlq`, 1)
    expect(letter).toMatchObject({ key: 'boom', value: 'k', partition: partitionOf('boom', 3) })
    expect(letter?.headers).toContainEqual({ key: 'dlq-topic', value: repartition })
  })

  test('that was purged stops a task without a position', async () => {
    const harness = await open()
    const first = await harness.start(wordCount(), { repartitionPurge: { records: 1 } })
    await append(harness, lines)
    await harness.readAtLeast('counts', lines.length * 3)
    await first.stop()
    await harness.log.admin.deleteGroup('app')
    await harness.log.admin.deleteTopics(['app-counts-changelog'])
    const second = await harness.start(wordCount())
    expect(await second.failed).toMatchObject({ code: 'PROCESSOR_POSITION_LOST' })
  })
})
