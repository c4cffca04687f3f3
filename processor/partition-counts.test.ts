import { describe, expect, test } from 'vitest'
import { TopologyBuilder, utf8 } from '#topology'
import type { Stream, Topology } from '#topology'
import { partitionCounts } from './partition-counts.ts'

type Texts = Stream<string, string>
const serdes = { key: utf8, value: utf8 }

class Sketch {
  readonly #builder = new TopologyBuilder()
  #sinks = 0

  read(...topics: string[]): Texts {
    return this.#builder.source({ name: topics.join('-'), topics, ...serdes })
  }

  repartition(name: string, from: Texts | readonly Texts[], partitions?: number): Texts {
    return this.#builder.repartition({
      name,
      from,
      ...serdes,
      ...(partitions === undefined ? {} : { partitions }),
    })
  }

  write(...from: Texts[]): void {
    this.#builder.sink({ name: `sink-${this.#sinks++}`, from, topic: 'out', ...serdes })
  }

  build(): Topology {
    return this.#builder.build()
  }
}

function countsOf(existing: Record<string, number>, draw: (sketch: Sketch) => void): Record<string, number> {
  const sketch = new Sketch()
  draw(sketch)
  const counts = partitionCounts(sketch.build(), new Map(Object.entries(existing)))
  return Object.fromEntries([...counts].filter(([topic]) => topic.endsWith('-repartition')))
}

describe('a repartition topic has', () => {
  test('the count that was asked for', () => {
    const counts = countsOf({ in: 4 }, (sketch) =>
      sketch.write(sketch.repartition('a', sketch.read('in'), 7)),
    )
    expect(counts).toEqual({ 'a-repartition': 7 })
  })

  test('the most that a source before it has, through several', () => {
    const counts = countsOf({ in: 4, other: 6 }, (sketch) => {
      const from = [sketch.read('in'), sketch.repartition('a', sketch.read('other'))]
      sketch.write(sketch.repartition('c', sketch.repartition('b', from, 4)))
      sketch.write(...from)
    })
    expect(counts).toEqual({ 'a-repartition': 4, 'b-repartition': 4, 'c-repartition': 4 })
  })

  test('the most of all that it is read together with', () => {
    const counts = countsOf({ small: 2, large: 8 }, (sketch) => {
      const one = sketch.repartition('a', sketch.read('small'))
      const other = sketch.repartition('b', sketch.read('large'))
      sketch.write(one, other)
    })
    expect(counts).toEqual({ 'a-repartition': 8, 'b-repartition': 8 })
  })

  test('the count of the topic it is joined with', () => {
    const counts = countsOf({ in: 8, table: 3 }, (sketch) =>
      sketch.write(sketch.repartition('a', sketch.read('in')), sketch.read('table')),
    )
    expect(counts).toEqual({ 'a-repartition': 3 })
  })
})

test('counts that depend on each other in a circle are refused, and one given count is enough', () => {
  const circle =
    (partitions?: number) =>
    (sketch: Sketch): void => {
      const a = sketch.repartition('a', sketch.read('in'), partitions)
      const b = sketch.repartition('b', sketch.repartition('c', a))
      sketch.write(a, b)
    }
  expect(() => countsOf({ in: 2 }, circle())).toThrow(expect.objectContaining({ code: 'PROCESSOR_TOPICS' }))
  const five = { 'a-repartition': 5, 'b-repartition': 5, 'c-repartition': 5 }
  expect(countsOf({ in: 2 }, circle(5))).toEqual(five)
})
