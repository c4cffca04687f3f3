import { describe, expect, expectTypeOf, it } from 'vitest'
import { isMillraceError } from '#core'
import type { TopologyProblem } from './index.ts'
import { TopologyBuilder, int64, json, keyValueStore, nullable, output, setStore, utf8 } from './index.ts'
import type { KeyValueStore, SetStore, SourceSpec, Stream, Topology } from './index.ts'

interface Order {
  readonly amount: number
}

const orders: SourceSpec<string, Order> = {
  name: 'orders',
  topics: ['order'],
  key: utf8,
  value: json<Order>(),
}
const totals = keyValueStore({ name: 'totals', key: utf8, value: int64 })
const idle = { process: () => {} }

function problemsOf(builder: TopologyBuilder): { codes: string[]; message: string } {
  try {
    builder.build()
  } catch (error) {
    if (!isMillraceError(error, 'TOPOLOGY_INVALID')) throw error
    const problems = error.context['problems'] as TopologyProblem[]
    return { codes: problems.map(({ code }) => code), message: error.message }
  }
  return { codes: [], message: '' }
}

/** A builder with one right source and sink, to which a test adds what is wrong. */
function sound(): { builder: TopologyBuilder; from: Stream<string, Order> } {
  const builder = new TopologyBuilder()
  const from = builder.source(orders)
  builder.sink({ name: 'copy', from, topic: 'order-copy', key: utf8, value: json<Order>() })
  return { builder, from }
}

describe('types', () => {
  it('carries types from sources through processors to sinks', () => {
    const builder = new TopologyBuilder()
    const from = builder.source(orders)
    expectTypeOf(from).toEqualTypeOf<Stream<string, Order>>()
    const members = setStore({ name: 'members', key: utf8, member: int64, value: json<Order>() })
    const summed = builder.processor({
      name: 'sum',
      from,
      stores: { totals, members },
      outputs: { total: output<string, number>(), gone: output<string, Order | null>() },
      init(context) {
        expectTypeOf(context.stores.totals).toEqualTypeOf<KeyValueStore<string, number>>()
        expectTypeOf(context.stores.members).toEqualTypeOf<SetStore<string, number, Order>>()
        // @ts-expect-error this store was not named
        void context.stores.others
        // @ts-expect-error this output was not declared
        void context.emit.others
        return {
          process(record) {
            expectTypeOf(record.key).toEqualTypeOf<string>()
            expectTypeOf(record.value).toEqualTypeOf<Order>()
            context.emit.total(record.key, record.value.amount)
            context.emit.gone(record.key, null)
            // @ts-expect-error totals are numbers
            context.emit.total(record.key, record.value)
          },
        }
      },
    })
    expectTypeOf(summed.total).toEqualTypeOf<Stream<string, number>>()
    expectTypeOf(summed.gone).toEqualTypeOf<Stream<string, Order | null>>()
    // @ts-expect-error this output was not declared
    void summed.others

    builder.sink({ name: 'totals-out', from: summed.total, topic: 'total', key: utf8, value: int64 })
    builder.sink({
      name: 'gone',
      from: summed.gone,
      topic: 'gone',
      key: utf8,
      value: nullable(json<Order>()),
    })
    // @ts-expect-error keys are strings
    builder.sink({ name: 'a', from: summed.total, topic: 'a', key: int64, value: int64 })
    // @ts-expect-error values are numbers
    builder.sink({ name: 'b', from: summed.total, topic: 'b', key: utf8, value: utf8 })
    // @ts-expect-error a serde that cannot write null does not fit
    builder.sink({ name: 'c', from: summed.gone, topic: 'c', key: utf8, value: json<Order>() })
    expectTypeOf(builder.build()).toEqualTypeOf<Topology>()
  })

  it('joins streams of one type, and no others', () => {
    const builder = new TopologyBuilder()
    const first = builder.source(orders)
    const second = builder.source({ ...orders, name: 'more', topics: ['more'] })
    const numbers = builder.source({ name: 'numbers', topics: ['numbers'], key: utf8, value: int64 })
    builder.processor({
      name: 'both',
      from: [first, second],
      init: () => ({ process: ({ value }) => expectTypeOf(value).toEqualTypeOf<Order>() }),
    })
    builder.processor({
      name: 'mixed',
      // @ts-expect-error orders and numbers
      from: [first, numbers],
      init: () => idle,
    })
    expect(builder.build().subtopologies).toHaveLength(1)
  })

  it('gives a processor without stores and outputs neither', () => {
    const { builder, from } = sound()
    const outputs = builder.processor({
      name: 'end',
      from,
      init(context) {
        expectTypeOf<keyof typeof context.stores>().toEqualTypeOf<string>()
        // @ts-expect-error nothing was declared
        context.emit.result('key', 'value')
        return idle
      },
    })
    expect(outputs).toEqual({})
    // @ts-expect-error nothing was declared
    expectTypeOf(outputs.result).toEqualTypeOf<Stream<string, string>>()
  })
})

describe('the finished topology', () => {
  it('is frozen through and through, down to serdes and functions', () => {
    const { builder, from } = sound()
    builder.processor({ name: 'sum', from, stores: { totals }, init: () => idle })
    const seen = new Set<unknown>()
    const check = (part: unknown, path: string): void => {
      if (typeof part !== 'object' || part === null || seen.has(part) || 'write' in part) return
      seen.add(part)
      expect(Object.isFrozen(part), path).toBe(true)
      for (const [name, child] of Object.entries(part)) check(child, `${path}.${name}`)
    }
    check(builder.build(), 'topology')
    expect(seen.size).toBeGreaterThan(10)
  })

  it('does not change when the builder goes on', () => {
    const { builder, from } = sound()
    const before = builder.build()
    builder.processor({ name: 'later', from, init: () => idle })
    expect(before.subtopologies[0]?.nodes.map(({ name }) => name)).toEqual(['orders', 'copy'])
    expect(builder.build().subtopologies[0]?.nodes).toHaveLength(3)
  })

  it('keeps what specifications said when they are changed afterwards', () => {
    const topics = ['order']
    const builder = new TopologyBuilder()
    const from = builder.source({ ...orders, topics })
    builder.sink({ name: 'copy', from, topic: 'order-copy', key: utf8, value: json<Order>() })
    topics.push('late')
    expect(builder.build().subtopologies[0]?.sourceTopics).toEqual(['order'])
  })
})

describe('validation', () => {
  it('accepts a sound topology', () => expect(problemsOf(sound().builder).codes).toEqual([]))

  it('reports every problem, one a line', () => {
    const { builder, from } = sound()
    builder.processor({
      name: 'sum of orders',
      from,
      outputs: { total: output<string, number>() },
      init: () => idle,
    })
    builder.processor({ name: 'copy', from: [], init: () => idle })
    expect(problemsOf(builder).message).toMatchInlineSnapshot(`
      "The topology cannot be built:
        TOPOLOGY_INVALID_NAME: "sum of orders" cannot name a processor: use 1 to 100 of A-Z a-z 0-9 . _ - and begin with a letter or digit.
        TOPOLOGY_DUPLICATE_NAME: More than one node is named "copy". Name each once.
        TOPOLOGY_NO_INPUT: The processor "copy" takes from nothing. Pass at least one stream as "from".
        TOPOLOGY_UNCONNECTED: Nothing takes from the output "total" of "sum of orders". Attach a processor or sink, or remove it."
    `)
  })

  it.each<[string, string, (builder: TopologyBuilder, from: Stream<string, Order>) => void]>([
    [
      'a bad node name',
      'TOPOLOGY_INVALID_NAME',
      (builder, from) => {
        builder.processor({ name: '-sum', from, init: () => idle })
      },
    ],
    [
      'an empty node name',
      'TOPOLOGY_INVALID_NAME',
      (builder, from) => {
        builder.processor({ name: '', from, init: () => idle })
      },
    ],
    [
      'a node named as descriptions name nothing',
      'TOPOLOGY_RESERVED_NAME',
      (builder, from) => {
        builder.processor({ name: 'none', from, init: () => idle })
      },
    ],
    [
      'two nodes of one name',
      'TOPOLOGY_DUPLICATE_NAME',
      (builder, from) => {
        builder.processor({ name: 'orders', from, init: () => idle })
      },
    ],
    [
      'a processor that takes from nothing',
      'TOPOLOGY_NO_INPUT',
      (builder) => {
        builder.processor({ name: 'sum', from: [], init: () => idle })
      },
    ],
    [
      'a stream of another builder',
      'TOPOLOGY_FOREIGN_STREAM',
      (builder) => {
        builder.processor({ name: 'sum', from: sound().from, init: () => idle })
      },
    ],
    [
      'a stream made by hand',
      'TOPOLOGY_FOREIGN_STREAM',
      (builder) => {
        builder.processor({ name: 'sum', from: { node: 'orders', output: undefined }, init: () => idle })
      },
    ],
    [
      'a stream taken twice',
      'TOPOLOGY_DUPLICATE_INPUT',
      (builder, from) => {
        builder.processor({ name: 'sum', from: [from, from], init: () => idle })
      },
    ],
    [
      'a source that nothing takes from',
      'TOPOLOGY_UNCONNECTED',
      (builder) => {
        builder.source({ ...orders, name: 'more', topics: ['more'] })
      },
    ],
    [
      'an output that nothing takes from',
      'TOPOLOGY_UNCONNECTED',
      (builder, from) => {
        builder.processor({
          name: 'sum',
          from,
          outputs: { total: output<string, number>() },
          init: () => idle,
        })
      },
    ],
    [
      'a source without topics',
      'TOPOLOGY_NO_TOPIC',
      (builder) => {
        builder.processor({
          name: 'sum',
          from: builder.source({ ...orders, name: 'more', topics: [] }),
          init: () => idle,
        })
      },
    ],
    [
      'a topic listed twice',
      'TOPOLOGY_DUPLICATE_TOPIC',
      (builder) => {
        const from = builder.source({ ...orders, name: 'more', topics: ['more', 'more'] })
        builder.processor({ name: 'sum', from, init: () => idle })
      },
    ],
    [
      'a topic read by two serdes',
      'TOPOLOGY_SERDE_CONFLICT',
      (builder) => {
        const from = builder.source({ name: 'more', topics: ['order'], key: utf8, value: utf8 })
        builder.processor({ name: 'sum', from, init: () => idle })
      },
    ],
    [
      'two stores of one name',
      'TOPOLOGY_STORE_CONFLICT',
      (builder, from) => {
        const others = keyValueStore({ name: 'totals', key: utf8, value: int64 })
        builder.processor({ name: 'sum', from, stores: { totals, others }, init: () => idle })
      },
    ],
    [
      'a store name that skipped its check',
      'TOPOLOGY_INVALID_NAME',
      (builder, from) => {
        builder.processor({
          name: 'sum',
          from,
          stores: { totals: { ...totals, name: '../totals' } },
          init: () => idle,
        })
      },
    ],
    [
      'a store of nulls',
      'TOPOLOGY_NULLABLE_STORE',
      (builder, from) => {
        const maybe = keyValueStore({ name: 'maybe', key: utf8, value: nullable(int64) })
        builder.processor({ name: 'sum', from, stores: { maybe }, init: () => idle })
      },
    ],
    [
      'a bad topic name',
      'TOPOLOGY_INVALID_NAME',
      (builder, from) => {
        builder.sink({ name: 'out', from, topic: 'order copy', key: utf8, value: json<Order>() })
      },
    ],
    [
      "a topic of Kafka's own",
      'TOPOLOGY_RESERVED_NAME',
      (builder, from) => {
        builder.sink({ name: 'out', from, topic: '__consumer_offsets', key: utf8, value: json<Order>() })
      },
    ],
    [
      'a changelog as a sink',
      'TOPOLOGY_RESERVED_NAME',
      (builder, from) => {
        builder.processor({ name: 'sum', from, stores: { totals }, init: () => idle })
        builder.sink({ name: 'out', from, topic: 'app-totals-changelog', key: utf8, value: json<Order>() })
      },
    ],
    [
      'a dead-letter topic as a sink',
      'TOPOLOGY_RESERVED_NAME',
      (builder, from) => {
        builder.sink({ name: 'out', from, topic: 'order.dlq', key: utf8, value: json<Order>() })
      },
    ],
    [
      'a topic that goes round',
      'TOPOLOGY_TOPIC_LOOP',
      (builder, from) => {
        builder.sink({ name: 'out', from, topic: 'order', key: utf8, value: json<Order>() })
      },
    ],
  ])('refuses %s', (_what, code, spoil) => {
    const { builder, from } = sound()
    spoil(builder, from)
    expect(problemsOf(builder).codes).toEqual([code])
  })

  it('refuses a topology without a source', () => {
    expect(problemsOf(new TopologyBuilder()).codes).toEqual(['TOPOLOGY_NO_SOURCE'])
  })

  it('lets processors share one store specification', () => {
    const { builder, from } = sound()
    builder.processor({ name: 'sum', from, stores: { totals }, init: () => idle })
    builder.processor({ name: 'show', from, stores: { sums: totals }, init: () => idle })
    expect(builder.build().subtopologies[0]?.stores).toEqual([totals])
  })
})
