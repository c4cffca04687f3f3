import { describe, expect, it } from 'vitest'
import { ByteWriter, writeI64 } from '#core'
import { RecordBatchBuilder, batchField } from '#log'
import { changelogKind, writePosition } from '#state'
import {
  checkCheckpointsGrow,
  checkOffsetsGrow,
  checkOutputsOnce,
  checkPositionIsOffset,
  checkStateIsFold,
  foldChangelog,
} from './index.ts'

function batchAt(base: number, records: readonly (readonly [key: string, value: string | null])[]): Buffer {
  const builder = new RecordBatchBuilder()
  for (const [key, value] of records) builder.append(key, value, 0)
  const batch = Buffer.from(builder.finish())
  writeI64(batch, batchField.baseOffset, base)
  return batch
}

/** Offsets 0 to 4, with a gap at 2 as markers leave it. */
const changelog = [
  batchAt(0, [
    ['a', '1'],
    ['b', '1'],
  ]),
  batchAt(3, [
    ['a', '2'],
    ['b', null],
  ]),
]

const state = (entries: Readonly<Record<string, string>>): [Buffer, Buffer][] =>
  Object.entries(entries).map(([key, value]) => [Buffer.from(key), Buffer.from(value)])

function check(entries: Readonly<Record<string, string>>, end?: number): string[] {
  return checkStateIsFold('stock', foldChangelog(changelog, end), state(entries)).map(
    ({ message }) => message,
  )
}

describe('state is the fold of the changelog', () => {
  it('holds for the whole changelog, and for a prefix', () => {
    expect(check({ a: '2' })).toEqual([])
    expect(check({ a: '1', b: '1' }, 3)).toEqual([])
    expect(check({ a: '2', b: '1' }, 4)).toEqual([])
  })

  it('sees a lost, a changed and an uncommitted write', () => {
    expect(check({})).toEqual(['stock lacks a key of its changelog: 61'])
    expect(check({ a: '1' })).toEqual(['stock has another value than its changelog under 61'])
    expect(check({ a: '2', c: '1' })).toEqual(['stock holds a key that its changelog does not: 63'])
  })

  it('sees a deleted key that is still there', () => {
    expect(check({ a: '2', b: '1' })).toEqual(['stock holds a key that its changelog does not: 62'])
  })
})

const commit = (offset: number, partition = 0) => ({ topic: 'in', partition, offset })
const written = (offset: number, life = 'd/1') => ({ life, store: 'stock', offset })

describe('nothing goes back', () => {
  it('takes each partition on its own', () => {
    expect(checkOffsetsGrow([commit(5), commit(3, 1), commit(5), commit(6)])).toEqual([])
  })

  it('sees a committed offset that went back', () => {
    expect(checkOffsetsGrow([commit(5), commit(4)])).toMatchObject([{ check: 'offsets-grow' }])
  })

  it('sees a checkpoint that went back, but not in another life', () => {
    expect(checkCheckpointsGrow([written(5), written(2, 'd/2'), written(6)])).toEqual([])
    expect(checkCheckpointsGrow([written(5), written(4)])).toMatchObject([{ check: 'checkpoints-grow' }])
  })
})

const records = (values: readonly (string | null)[]) =>
  values.map((value) => ({ key: Buffer.from('k'), value: value === null ? null : Buffer.from(value) }))

function checkOutputs(outputs: readonly (string | null)[]): string[] {
  const violations = checkOutputsOnce('out-0', records(['a', 'b', null]), records(outputs))
  return violations.map(({ message }) => message)
}

describe('outputs are written once', () => {
  it('holds for the same records in the same order', () => expect(checkOutputs(['a', 'b', null])).toEqual([]))

  it('sees a repeated, a lost and a changed one', () => {
    expect(checkOutputs(['a', 'a', 'b', null])).toEqual([
      'out-0 holds 4 records, its input gives 3',
      'record 1 of out-0 is k = a, its input gives k = b',
    ])
    expect(checkOutputs(['a', 'b'])).toEqual(['out-0 holds 2 records, its input gives 3'])
    expect(checkOutputs(['a', 'c', null])).toEqual(['record 1 of out-0 is k = c, its input gives k = b'])
    expect(checkOutputs(['a', 'b', ''])).toEqual(['record 2 of out-0 is k = , its input gives k = null'])
  })
})

const committed = (offset: number | undefined) => [{ topic: 'in', partition: 0, offset, metadata: '' }]

describe('the position is the committed offset', () => {
  const out = new ByteWriter()
  writePosition({ inputs: [{ topic: 'in', partition: 0, offset: 7 }], streamTime: 1 }, out)
  const folded = new Map([[String.fromCodePoint(changelogKind.position), out.toBuffer()]])

  it('holds when both are the same, or neither is there', () => {
    expect(checkPositionIsOffset('0_0', folded, committed(7))).toEqual([])
    expect(checkPositionIsOffset('0_0', new Map(), committed(undefined))).toEqual([])
  })

  it('sees one without the other', () => {
    for (const offset of [6, 8, undefined]) {
      expect(checkPositionIsOffset('0_0', folded, committed(offset))).toMatchObject([
        { check: 'position-is-offset' },
      ])
    }
    expect(checkPositionIsOffset('0_0', new Map(), committed(7))).toHaveLength(1)
  })
})
