import { describe, expect, expectTypeOf, it } from 'vitest'
import type { ReadonlyKeyValueStore, ReadonlySetStore, TestDriverOptions, TestOutputTopic } from '../index.ts'
import {
  TopologyBuilder,
  TopologyTestDriver,
  bytes,
  int64,
  keyValueStore,
  nullable,
  output,
  setStore,
  utf8,
} from '../index.ts'

const counts = keyValueStore({ name: 'counts', key: utf8, value: int64 })
const seen = setStore({ name: 'seen', key: utf8, member: utf8, value: int64 })
const words = { name: 'words', topics: ['word'], key: utf8, value: utf8 } as const

/** Counts different words a key; a repeated word deletes the count, "bad" fails halfway, "worse" also when answered. */
function driverOf(options: TestDriverOptions = {}): TopologyTestDriver {
  const builder = new TopologyBuilder()
  const counted = builder.processor({
    name: 'count',
    from: builder.source(words),
    stores: { counts, seen },
    outputs: { count: output<string, number | null>() },
    init: (context) => ({
      process({ key, value }) {
        const { stores, emit } = context
        const repeated = stores.seen.has(key, value)
        stores.seen.add(key, value, context.streamTime())
        const count = (stores.counts.get(key) ?? 0) + 1
        if (repeated) stores.counts.delete(key)
        else stores.counts.put(key, count)
        emit.count(key, repeated ? null : count)
        if (value === 'bad' || value === 'worse') throw new Error(`${value} word`)
      },
      onPoison({ key, value }) {
        context.emit.count(key, -1)
        context.stores.seen.add(key, 'answered', 0)
        if (value === 'worse') throw new Error('no answer either')
      },
    }),
  })
  const value = nullable(int64)
  builder.sink({ name: 'counts', from: counted.count, topic: 'count', key: utf8, value, samePartition: true })
  return new TopologyTestDriver(builder.build(), options)
}

function manyRecords(): unknown {
  const driver = driverOf({ partitions: 4 })
  const input = driver.inputTopic(words)
  for (let record = 0; record < 200; record++) {
    driver.advanceTime(record % 7)
    input.pipe(`key ${record % 11}`, record % 13 === 0 ? 'bad' : `word ${record % 5}`)
  }
  const letters = driver.deadLetters().map(({ partition, offset, message }) => [partition, offset, message])
  return [driver.outputTopic('count', utf8, nullable(int64)).readAll(), letters]
}

function code(expected: string): unknown {
  return expect.objectContaining({ code: expected })
}

describe('the test driver', () => {
  it('pipes records in and reads what came out, with types', () => {
    const driver = driverOf({ startTime: 1000 })
    const input = driver.inputTopic(words)
    const results = driver.outputTopic('count', utf8, nullable(int64))
    expect(input.pipe('k', 'a')).toEqual({ partition: 0, offset: 0, timestamp: 1000 })
    driver.advanceTime(5)
    input.pipe('k', 'b', { headers: [{ key: 'trace', value: 't' }] })
    input.pipe('k', 'a', { timestamp: 3 })
    expectTypeOf(results).toEqualTypeOf<TestOutputTopic<string, number | null>>()
    expect(results.read()).toEqual({
      key: 'k',
      value: 1,
      partition: 0,
      offset: 0,
      timestamp: 1000,
      headers: [],
    })
    expect(results.readAll()).toEqual([
      {
        key: 'k',
        value: 2,
        partition: 0,
        offset: 1,
        timestamp: 1005,
        headers: [{ key: 'trace', value: 't' }],
      },
      { key: 'k', value: null, partition: 0, offset: 2, timestamp: 3, headers: [] },
    ])
    expect(results.read()).toBe(undefined)
    expect(driver.outputTopic('count', utf8, nullable(int64)).readAll()).toHaveLength(3)
  })

  it('shows stores, typed, as they are after the last record', () => {
    const driver = driverOf({ startTime: 1000 })
    const input = driver.inputTopic(words)
    input.pipe('k', 'a')
    input.pipe('k', 'b', { timestamp: 3 })
    expectTypeOf(driver.store(counts)).toEqualTypeOf<ReadonlyKeyValueStore<string, number>>()
    expectTypeOf(driver.store(seen)).toEqualTypeOf<ReadonlySetStore<string, string, number>>()
    expect([...driver.store(counts).range()]).toEqual([['k', 2]])
    // Stream time does not go back with a late record.
    expect([...driver.store(seen).members('k')]).toEqual([
      ['a', 1000],
      ['b', 1000],
    ])
  })

  it('runs a task for each partition', () => {
    const driver = driverOf({ partitions: 3, partitioner: (key) => (key?.[0] ?? 0) % 3 })
    const input = driver.inputTopic(words)
    expect(input.pipe('a', 'x').partition).toBe(97 % 3)
    expect(input.pipe('b', 'x').partition).toBe(98 % 3)
    expect(input.pipe('b', 'x', { partition: 0 })).toEqual({ partition: 0, offset: 0, timestamp: 0 })
    expect([0, 1, 2].map((partition) => Array.from(driver.store(counts, partition).range()))).toEqual([
      [['b', 1]],
      [['a', 1]],
      [['b', 1]],
    ])
    const partitions = driver.outputTopic('count', utf8, nullable(int64)).readAll()
    expect(partitions.map(({ partition, offset }) => [partition, offset])).toEqual([
      [1, 0],
      [2, 0],
      [0, 0],
    ])
  })

  it('is deterministic', () => {
    expect(manyRecords()).toEqual(manyRecords())
  })

  it('feeds what one subtopology writes to the one that reads it', () => {
    const builder = new TopologyBuilder()
    const from = builder.source(words)
    builder.sink({ name: 'by-word', from, topic: 'by-word', key: utf8, value: utf8 })
    const second = builder.source({ name: 'second', topics: ['by-word'], key: utf8, value: utf8 })
    const { out } = builder.processor({
      name: 'upper',
      from: second,
      outputs: { out: output<string, string>() },
      init: ({ emit, taskId }) => ({ process: ({ key, value }) => emit.out(key, `${value} by ${taskId}`) }),
    })
    builder.sink({ name: 'last', from: out, topic: 'last', key: utf8, value: utf8 })
    const driver = new TopologyTestDriver(builder.build())
    driver.inputTopic(words).pipe('k', 'v')
    expect(
      driver
        .outputTopic('last', utf8, utf8)
        .readAll()
        .map(({ value }) => value),
    ).toEqual(['v by 1_0'])
  })

  it('says what a test got wrong', () => {
    const driver = driverOf()
    const foreign = keyValueStore({ name: 'counts', key: utf8, value: int64 })
    expect(() => driver.inputTopic('wrod', utf8, utf8)).toThrow(code('TOPOLOGY_UNKNOWN_TOPIC'))
    expect(() => driver.store(foreign)).toThrow(code('TOPOLOGY_UNKNOWN_STORE'))
    expect(() => driver.store(counts, 1)).toThrow(code('TOPOLOGY_NO_PARTITION'))
    expect(() => driver.inputTopic(words).pipe('k', 'v', { partition: 1 })).toThrow(
      code('TOPOLOGY_NO_PARTITION'),
    )
    expect(() => driver.advanceTime(-1)).toThrow(RangeError)
  })
})

describe('a record is a savepoint', () => {
  it('takes back state and outputs of a failed record only, then answers it', () => {
    const driver = driverOf()
    const input = driver.inputTopic(words)
    input.pipe('k', 'a')
    input.pipe('k', 'bad', { headers: [{ key: 'h', value: 'x' }] })
    input.pipe('k', 'b')
    const values = driver.outputTopic('count', utf8, nullable(int64)).readAll()
    expect(values.map(({ value }) => value)).toEqual([1, -1, 2])
    expect([...driver.store(seen).members('k')].map(([word]) => word)).toEqual(['a', 'answered', 'b'])
    expect(driver.deadLetters()).toEqual([
      {
        topic: 'word',
        partition: 0,
        offset: 1,
        timestamp: 0,
        key: Buffer.from('k'),
        value: Buffer.from('bad'),
        headers: [{ key: 'h', value: 'x' }],
        code: undefined,
        message: 'bad word',
        error: expect.any(Error),
      },
    ])
  })

  it('sets aside what cannot be decoded, unanswered', () => {
    const driver = driverOf()
    driver.inputTopic('word', utf8, nullable(bytes)).pipe('k', null)
    expect(driver.deadLetters()).toEqual([
      expect.objectContaining({ code: 'TOPOLOGY_UNDECODABLE', key: Buffer.from('k'), value: null }),
    ])
    expect(driver.outputTopic('count', utf8, nullable(int64)).readAll()).toEqual([])
  })

  it('throws what an answer throws, with nothing left of the record', () => {
    const driver = driverOf()
    const input = driver.inputTopic(words)
    expect(() => input.pipe('k', 'worse')).toThrow('no answer either')
    expect([...driver.store(seen).keys()]).toEqual([])
    expect([...driver.store(counts).range()]).toEqual([])
    expect(driver.outputTopic('count', utf8, nullable(int64)).readAll()).toEqual([])
  })

  it('throws at the first failed record when told to', () => {
    const driver = driverOf({ onPoison: 'fail' })
    expect(() => driver.inputTopic(words).pipe('k', 'bad')).toThrow('bad word')
    expect(driver.deadLetters()).toEqual([])
    expect([...driver.store(counts).range()]).toEqual([])
  })
})
