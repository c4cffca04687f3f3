import { expect, test } from 'vitest'
import {
  TopologyBuilder,
  describe,
  describeJson,
  int64,
  keyValueStore,
  output,
  setStore,
  utf8,
} from './index.ts'
import type { Topology } from './index.ts'

const idle = { process: () => {} }
const remaining = keyValueStore({ name: 'remaining', key: utf8, value: int64 })
const issuedUsers = setStore({ name: 'issued-users', key: utf8, member: utf8, value: int64 })

function issuing(): Topology {
  const builder = new TopologyBuilder()
  const init = builder.source({ name: 'init-source', topics: ['coupon-init'], key: utf8, value: utf8 })
  builder.processor({ name: 'init-processor', from: init, stores: { remaining }, init: () => idle })
  const issue = builder.source({ name: 'issue-source', topics: ['coupon-issue'], key: utf8, value: utf8 })
  const { result } = builder.processor({
    name: 'issue-processor',
    from: issue,
    stores: { remaining, issuedUsers },
    outputs: { result: output<string, string>() },
    init: () => idle,
  })
  builder.sink({ name: 'result-sink', from: result, topic: 'coupon-result', key: utf8, value: utf8 })
  return builder.build()
}

test('the text is what Kafka Streams 4.3.1 printed for the same shape', () => {
  expect(describe(issuing())).toBe(`Topologies:
   Sub-topology: 0
    Source: issue-source (topics: [coupon-issue])
      --> issue-processor
    Source: init-source (topics: [coupon-init])
      --> init-processor
    Processor: issue-processor (stores: [issued-users, remaining])
      --> result-sink
      <-- issue-source
    Processor: init-processor (stores: [remaining])
      --> none
      <-- init-source
    Sink: result-sink (topic: coupon-result)
      <-- issue-processor

`)
})

test('the second subtopology stands one column to the left, as Kafka Streams prints it', () => {
  const builder = new TopologyBuilder()
  for (const name of ['a', 'b']) {
    const from = builder.source({ name, topics: [`${name}2`, `${name}1`], key: utf8, value: utf8 })
    builder.sink({ name: `${name}-sink`, from, topic: 'out', key: utf8, value: utf8 })
  }
  expect(describe(builder.build())).toBe(`Topologies:
   Sub-topology: 0
    Source: a (topics: [a1, a2])
      --> a-sink
    Sink: a-sink (topic: out)
      <-- a

  Sub-topology: 1
    Source: b (topics: [b1, b2])
      --> b-sink
    Sink: b-sink (topic: out)
      <-- b

`)
})

test('neighbours are listed with the larger tree first', () => {
  const builder = new TopologyBuilder()
  const from = builder.source({ name: 's', topics: ['in'], key: utf8, value: utf8 })
  builder.sink({ name: 'a-leaf', from, topic: 'leaf', key: utf8, value: utf8 })
  const { out } = builder.processor({
    name: 'tree',
    from,
    outputs: { out: output<string, string>() },
    init: () => idle,
  })
  builder.sink({ name: 'below', from: [out, from], topic: 'below', key: utf8, value: utf8 })
  const text = describe(builder.build())
  expect(text).toContain('Source: s (topics: [in])\n      --> tree, a-leaf, below\n')
  expect(text).toContain('Sink: below (topic: below)\n      <-- s, tree\n')
})

test('the JSON is plain and complete', () => {
  const json = describeJson(issuing())
  expect(JSON.parse(JSON.stringify(json))).toEqual(json)
  expect(json).toEqual({
    subtopologies: [
      {
        id: 0,
        sourceTopics: ['coupon-init', 'coupon-issue'],
        sinkTopics: ['coupon-result'],
        stores: [
          {
            name: 'issued-users',
            kind: 'set',
            persistent: true,
            key: 'utf8',
            member: 'utf8',
            value: 'int64',
            changelog: 'issued-users-changelog',
            holdsPosition: true,
          },
          {
            name: 'remaining',
            kind: 'key-value',
            persistent: true,
            key: 'utf8',
            value: 'int64',
            changelog: 'remaining-changelog',
            holdsPosition: false,
          },
        ],
        nodes: [
          source('issue-source', 'coupon-issue', 'issue-processor'),
          source('init-source', 'coupon-init', 'init-processor'),
          {
            kind: 'processor',
            name: 'issue-processor',
            stores: ['issued-users', 'remaining'],
            outputs: { result: ['result-sink'] },
            predecessors: ['issue-source'],
          },
          {
            kind: 'processor',
            name: 'init-processor',
            stores: ['remaining'],
            outputs: {},
            predecessors: ['init-source'],
          },
          {
            kind: 'sink',
            name: 'result-sink',
            topic: 'coupon-result',
            key: 'utf8',
            value: 'utf8',
            samePartition: false,
            predecessors: ['issue-processor'],
          },
        ],
      },
    ],
    repartitionTopics: [],
  })
})

function source(name: string, topic: string, successor: string): object {
  return { kind: 'source', name, topics: [topic], key: 'utf8', value: 'utf8', successors: [successor] }
}
