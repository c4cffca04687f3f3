import { expect, test } from 'vitest'
import { TopologyBuilder, int64, keyValueStore, setStore, taskIdOf, utf8 } from './index.ts'
import type { Stores, Stream, Topology } from './index.ts'

const idle = { process: () => {} }

function source(
  builder: TopologyBuilder,
  name: string,
  topics: readonly string[] = [name],
): Stream<string, string> {
  return builder.source({ name, topics, key: utf8, value: utf8 })
}

function processor(
  builder: TopologyBuilder,
  name: string,
  from: Stream<string, string>[],
  stores: Stores = {},
): void {
  builder.processor({ name, from, stores, init: () => idle })
}

function groups(topology: Topology): string[][] {
  return topology.subtopologies.map(({ nodes }) => nodes.map(({ name }) => name))
}

const shared = keyValueStore({ name: 'shared', key: utf8, value: int64 })

test('unconnected parts are subtopologies, numbered as their first nodes were added', () => {
  const builder = new TopologyBuilder()
  const z = source(builder, 'z')
  const a = source(builder, 'a')
  processor(builder, 'of-a', [a])
  processor(builder, 'of-z', [z])
  const topology = builder.build()
  expect(groups(topology)).toEqual([
    ['z', 'of-z'],
    ['a', 'of-a'],
  ])
  expect(topology.subtopologies.map(({ id }) => id)).toEqual([0, 1])
})

test('an edge connects', () => {
  const builder = new TopologyBuilder()
  const [a, b] = [source(builder, 'a'), source(builder, 'b')]
  processor(builder, 'both', [b, a])
  const [only] = builder.build().subtopologies
  expect(only?.nodes.at(-1)?.predecessors).toEqual(['b', 'a'])
  expect(only?.sourceTopics).toEqual(['a', 'b'])
})

test('a shared store connects, also parts met before it', () => {
  const builder = new TopologyBuilder()
  const [a, b, c] = [source(builder, 'a'), source(builder, 'b'), source(builder, 'c')]
  processor(builder, 'of-b', [b])
  processor(builder, 'of-a', [a], { shared })
  processor(builder, 'of-c', [c], { mine: shared })
  expect(groups(builder.build())).toEqual([
    ['a', 'c', 'of-a', 'of-c'],
    ['b', 'of-b'],
  ])
})

test('a topic read by two sources connects', () => {
  const builder = new TopologyBuilder()
  processor(builder, 'p', [source(builder, 'a', ['one', 'two'])])
  processor(builder, 'q', [source(builder, 'b', ['two'])])
  const { subtopologies } = builder.build()
  expect(subtopologies.map(({ sourceTopics }) => sourceTopics)).toEqual([['one', 'two']])
})

test('a topic written by one part and read by another does not connect', () => {
  const builder = new TopologyBuilder()
  builder.sink({ name: 'out', from: source(builder, 'a'), topic: 'b', key: utf8, value: utf8 })
  processor(builder, 'p', [source(builder, 'b')])
  const { subtopologies } = builder.build()
  expect(subtopologies.map(({ sinks }) => sinks.map(({ topic }) => topic))).toEqual([['b'], []])
})

test('stores are sorted by name and listed once', () => {
  const builder = new TopologyBuilder()
  const from = source(builder, 'a')
  const users = setStore({ name: 'a-users', key: utf8, member: utf8, value: int64 })
  processor(builder, 'p', [from], { shared, users })
  processor(builder, 'q', [from], { users })
  expect(builder.build().subtopologies[0]?.stores.map(({ name }) => name)).toEqual(['a-users', 'shared'])
})

test('tasks are named by subtopology and partition', () => {
  expect(taskIdOf(1, 12)).toBe('1_12')
})
