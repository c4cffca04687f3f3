import { describe, expect, it } from 'vitest'
import { SeededRandom } from '#core'
import { partitionOf } from '#log'
import { TopologyTestDriver, utf8 } from '#topology'
import { GroupCheck, PartitionCheck, groupInput } from './eos/checks.ts'
import type { InputRecord } from './eos/checks.ts'
import { eosTopics, eosTopology, folds, fromHeader, partitions } from './eos/topology.ts'

/** Offsets have gaps, as markers leave them. */
const input: readonly InputRecord[] = [
  { offset: 0, key: 'a', value: 5 },
  { offset: 2, key: 'b', value: 7 },
  { offset: 3, key: 'a', value: 2 },
  { offset: 6, key: 'a', value: 4 },
]
const sums = ['a 5', 'b 7', 'a 7', 'a 11'] as const

function checkSums(records: readonly string[]): readonly string[] {
  const check = new PartitionCheck('sum-0', input, folds.sum)
  for (const record of records) {
    const [key = '', value = ''] = record.split(' ')
    check.record(key, value)
  }
  return check.end()
}

describe('a partition that follows its input', () => {
  it('is whole when each record is the fold of its prefix', () => expect(checkSums(sums)).toEqual([]))

  it.each([
    ['twice', ['a 5', 'b 7', 'b 7', 'a 7', 'a 11'], 'record 2 of sum-0 is b = 7, its input gives a = 7'],
    ['twice at the end', [...sums, 'a 11'], 'sum-0 has a = 11 beyond the end of its input'],
    ['missing', ['a 5', 'a 7', 'a 11'], 'record 1 of sum-0 is a = 7, its input gives b = 7'],
    ['missing at the end', sums.slice(0, 3), 'sum-0 has 3 records, its input 4'],
    ['in another order', ['a 5', 'a 7', 'b 7', 'a 11'], 'record 1 of sum-0 is a = 7, its input gives b = 7'],
    [
      'folded twice into the state',
      ['a 5', 'b 7', 'a 12', 'a 16'],
      'record 2 of sum-0 is a = 12, its input gives a = 7',
    ],
  ])('shows a record that is %s', (_, records, violation) => {
    expect(checkSums(records)).toEqual([violation])
  })
})

/** Two values of one group from partition 0, one from partition 1; and one of another group. */
const grouped = groupInput([
  [
    { offset: 4, key: 'a', value: 1 },
    { offset: 5, key: 'a', value: 2 },
    { offset: 9, key: 'b', value: 501 },
  ],
  [{ offset: 4, key: 'c', value: 1001 }],
])
const ones = ['2 1 0/4', '2 2 1/4', '2 3 0/9'] as const
const twos = ['3 1 0/5'] as const

/** @param one what is told of group 1, as `partition value from` */
function checkCounts(one: readonly string[], two: readonly string[] = twos): readonly string[] {
  const check = new GroupCheck('cnt', grouped, folds.cnt)
  for (const [group, records] of [
    ['group-1', one],
    ['group-2', two],
  ] as const) {
    for (const record of records) {
      const [partition = '', value = '', from = ''] = record.split(' ')
      check.record(Number(partition), group, value, from)
    }
  }
  return check.end()
}

describe('groups behind a repartition', () => {
  it('are whole however their partitions mix', () => {
    expect(checkCounts(ones)).toEqual([])
    expect(checkCounts(['2 1 1/4', '2 2 0/4', '2 3 0/9'])).toEqual([])
  })

  it.each([
    ['twice', ['2 1 0/4', '2 2 0/4', '2 3 1/4', '2 4 0/9'], 'group-1 of cnt has 0/4 where 0/9 comes next'],
    ['twice at the end', [...ones, '2 4 0/9'], 'group-1 of cnt has 0/9 where nothing comes next'],
    ['missing', ['2 1 1/4', '2 2 0/9'], 'group-1 of cnt has 0/9 where 0/4 comes next'],
    [
      'missing at the end',
      ['2 1 0/4', '2 2 1/4'],
      'group-1 of cnt has 1 records from partition 0, which has 2',
    ],
    [
      'before its predecessor',
      ['2 1 0/9', '2 2 0/4', '2 3 1/4'],
      'group-1 of cnt has 0/9 where 0/4 comes next',
    ],
    ['counted twice', ['2 1 0/4', '2 3 1/4', '2 4 0/9'], 'group-1 of cnt is 3 at 1/4, its input gives 2'],
    ['of another group', ['2 1 0/5', ...ones], 'group-1 of cnt has 0/5 where 0/4 comes next'],
    ['in another partition', ['2 1 0/4', '0 2 1/4'], 'group-1 of cnt is in partitions 2 and 0'],
  ])('show a record that is %s', (_, records, violation) => {
    expect(checkCounts(records)).toEqual([violation])
  })

  it('that never came are told', () => {
    expect(checkCounts(ones, [])).toEqual(['group-2 of cnt has 0 records from partition 0, which has 1'])
  })
})

it('the topology gives what the checks ask for', () => {
  const topics = eosTopics('t-')
  const partitioner = (key: Uint8Array | null, count: number): number => partitionOf(key, count)
  const driver = new TopologyTestDriver(eosTopology(topics), { partitions, partitioner })
  const data = driver.inputTopic(topics.data, utf8, utf8)
  const random = new SeededRandom(7)
  const piped: InputRecord[][] = Array.from({ length: partitions }, () => [])
  for (let at = 0; at < 2000; at++) {
    const key = String(random.integer(0, 100))
    const value = random.integer(0, 10_000)
    const { partition, offset } = data.pipe(key, String(value))
    piped[partition]?.push({ offset, key, value })
  }
  const checks = piped.map((records, partition) => new PartitionCheck(`min-${partition}`, records, folds.min))
  for (const { partition, key, value } of driver.outputTopic(topics.min, utf8, utf8).readAll())
    checks[partition]?.record(key, value)
  expect(checks.flatMap((check) => check.end())).toEqual([])
  const check = new GroupCheck('max', groupInput(piped), folds.max)
  for (const { partition, key, value, headers } of driver.outputTopic(topics.max, utf8, utf8).readAll())
    check.record(
      partition,
      key,
      value,
      headers.find((header) => header.key === fromHeader)?.value?.toString() ?? '',
    )
  expect(check.end()).toEqual([])
})
