import { describe as group, expect, expectTypeOf, it } from 'vitest'
import { isMillraceError } from '#core'
import {
  TopologyBuilder,
  TopologyTestDriver,
  describe,
  describeJson,
  int64,
  keyValueStore,
  nullable,
  output,
  utf8,
  withAppId,
} from './index.ts'
import type { Stream, Topology, TopologyProblem } from './index.ts'

const lines = { name: 'lines', topics: ['lines'], key: utf8, value: utf8 } as const
const counts = keyValueStore({ name: 'counts', key: utf8, value: int64 })

/** lines → words by word → counts. */
function wordCount(partitions?: number): Topology {
  const builder = new TopologyBuilder()
  const split = builder.processor({
    name: 'split',
    from: builder.source(lines),
    outputs: { word: output<string, string>() },
    init: ({ emit }) => ({
      process({ key, value }) {
        for (const word of value.split(' ')) emit.word(word, key)
      },
    }),
  })
  const from = builder.repartition({
    name: 'words',
    from: split.word,
    key: utf8,
    value: utf8,
    ...(partitions === undefined ? {} : { partitions }),
  })
  const counted = builder.processor({
    name: 'count',
    from,
    stores: { counts },
    outputs: { count: output<string, number>() },
    init: ({ stores, emit }) => ({
      process({ key }) {
        const count = (stores.counts.get(key) ?? 0) + 1
        stores.counts.put(key, count)
        emit.count(key, count)
      },
    }),
  })
  builder.sink({ name: 'counts-sink', from: counted.count, topic: 'counts', key: utf8, value: int64 })
  return builder.build()
}

function problemsOf(build: (builder: TopologyBuilder) => unknown): readonly string[] {
  const builder = new TopologyBuilder()
  build(builder)
  try {
    builder.build()
    return []
  } catch (error) {
    if (!isMillraceError(error, 'TOPOLOGY_INVALID')) throw error
    return (error.context['problems'] as TopologyProblem[]).map(({ code }) => code)
  }
}

group('repartition', () => {
  it('splits the topology into two, as Kafka Streams prints it', () => {
    expect(describe(wordCount())).toBe(`Topologies:
   Sub-topology: 0
    Source: lines (topics: [lines])
      --> split
    Processor: split (stores: [])
      --> words-repartition-sink
      <-- lines
    Sink: words-repartition-sink (topic: words-repartition)
      <-- split

  Sub-topology: 1
    Source: words-repartition-source (topics: [words-repartition])
      --> count
    Processor: count (stores: [counts])
      --> counts-sink
      <-- words-repartition-source
    Sink: counts-sink (topic: counts)
      <-- count

`)
  })

  it('is listed in the JSON, with the count that was asked for', () => {
    expect(describeJson(wordCount()).repartitionTopics).toEqual([{ topic: 'words-repartition' }])
    const asked = [{ topic: 'words-repartition', partitions: 3 }]
    expect(describeJson(wordCount(3)).repartitionTopics).toEqual(asked)
  })

  it('gets its full name with the application id, and nothing else changes', () => {
    const topology = wordCount(3)
    const named = withAppId(topology, 'app')
    expect(describe(named)).toBe(
      describe(topology)
        .replace('topic: words-repartition', 'topic: app-words-repartition')
        .replace('[words-repartition]', '[app-words-repartition]'),
    )
    expect(named.repartitionTopics).toEqual([{ topic: 'app-words-repartition', partitions: 3 }])
    expect(named.subtopologies[1]?.sourceTopics).toEqual(['app-words-repartition'])
    expect(named.subtopologies[0]?.sinks).toMatchObject([{ topic: 'app-words-repartition' }])
    expect(describe(topology)).toBe(describe(wordCount(3)))
  })

  it('brings all records of a key together in the test driver', () => {
    const driver = new TopologyTestDriver(wordCount(), { partitions: 3 })
    const input = driver.inputTopic(lines)
    const headers = [{ key: 'h', value: '1' }]
    input.pipe('l0', 'a b a', { partition: 0, timestamp: 5, headers })
    input.pipe('l1', 'a b', { partition: 1, timestamp: 7 })
    const records = driver.outputTopic('counts', utf8, int64).readAll()
    expect(records.map(({ key, value }) => `${key}=${value}`)).toEqual(['a=1', 'b=1', 'a=2', 'a=3', 'b=2'])
    expect(records[0]).toMatchObject({ timestamp: 5, headers })
    const partitionOfA = 'a'.codePointAt(0) as number
    expect(driver.store(counts, partitionOfA % 3).get('a')).toBe(3)
    expect(driver.outputTopic('words-repartition', utf8, utf8).readAll()).toHaveLength(5)
  })

  it('carries the types of the stream, and takes serdes of exactly these', () => {
    const builder = new TopologyBuilder()
    const from = builder.source({ ...lines, value: nullable(utf8) })
    const words = builder.repartition({ name: 'words', from, key: utf8, value: nullable(utf8) })
    expectTypeOf(words).toEqualTypeOf<Stream<string, string | null>>()
    // @ts-expect-error utf8 cannot write null
    builder.repartition({ name: 'narrow', from, key: utf8, value: utf8 })
    const narrow = builder.source(lines)
    // @ts-expect-error what is read could be null
    builder.repartition({ name: 'wide', from: narrow, key: utf8, value: nullable(utf8) })
  })
})

group('what is refused', () => {
  const serdes = { key: utf8, value: utf8 }

  it.each([0, 1.5, -1])('%s partitions', (partitions) => {
    const codes = problemsOf((builder) => {
      const from = builder.repartition({ name: 'words', from: builder.source(lines), ...serdes, partitions })
      builder.sink({ name: 'sink', from, topic: 'out', ...serdes })
    })
    expect(codes).toEqual(['TOPOLOGY_INVALID_PARTITIONS'])
  })

  it.each(['words-repartition', 'app-words-repartition'])('another use of the topic %s', (topic) => {
    const codes = problemsOf((builder) => {
      const from = builder.repartition({ name: 'words', from: builder.source(lines), ...serdes })
      builder.sink({ name: 'sink', from, topic, ...serdes })
    })
    expect(codes).toContain('TOPOLOGY_RESERVED_NAME')
    const reading = problemsOf((builder) => {
      const from = builder.repartition({ name: 'words', from: builder.source(lines), ...serdes })
      const other = builder.source({ name: 'other', topics: [topic], ...serdes })
      builder.sink({ name: 'sink', from: [from, other], topic: 'out', ...serdes })
    })
    expect(reading).toEqual(['TOPOLOGY_RESERVED_NAME'])
  })

  it('one that leads back into its own subtopology', () => {
    const codes = problemsOf((builder) => {
      const source = builder.source(lines)
      const from = builder.repartition({ name: 'words', from: source, ...serdes })
      builder.sink({ name: 'sink', from: [from, source], topic: 'out', ...serdes })
    })
    expect(codes).toEqual(['TOPOLOGY_TOPIC_LOOP'])
  })

  it('two of one name', () => {
    const codes = problemsOf((builder) => {
      const source = builder.source(lines)
      const one = builder.repartition({ name: 'words', from: source, ...serdes })
      const other = builder.repartition({ name: 'words', from: source, ...serdes })
      builder.sink({ name: 'sink', from: [one, other], topic: 'out', ...serdes })
    })
    expect(codes).toContain('TOPOLOGY_DUPLICATE_NAME')
  })

  it('one that nothing reads', () => {
    const codes = problemsOf((builder) =>
      builder.repartition({ name: 'words', from: builder.source(lines), ...serdes }),
    )
    expect(codes).toEqual(['TOPOLOGY_UNCONNECTED'])
  })
})
