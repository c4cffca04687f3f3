import { describe, expect, onTestFinished, test } from 'vitest'
import { keyValueStore, setStore, utf8 } from '#topology'
import type { KeyValueStoreSpec, SetStoreSpec } from '#topology'
import { changelogKind } from './changelog.ts'
import { readSegmentKey, segmentBytesMax } from './set-segment.ts'
import { StateHarness } from './testing/state-harness.ts'

const stock = keyValueStore({ name: 'stock', key: utf8, value: utf8 })
const holders = setStore({ name: 'holders', key: utf8, member: utf8, value: utf8 })

async function open<S extends KeyValueStoreSpec<string, string> | SetStoreSpec<string, string, string>>(
  spec: S,
): Promise<StateHarness<S>> {
  const harness = await StateHarness.open(spec)
  onTestFinished(() => harness.close())
  return harness
}

describe('a record is a savepoint', () => {
  test('rollback takes back the writes since the last release, and nothing before', async () => {
    const { state, store } = await open(stock)
    store.put('a', 'kept')
    state.release()
    store.put('a', 'lost')
    store.put('b', 'lost')
    store.delete('a')
    state.rollback()
    expect([...store.range()]).toEqual([['a', 'kept']])
  })

  test('a set forgets members, removals and drops that were rolled back', async () => {
    const { state, store } = await open(holders)
    store.add('c', 'ann', '1')
    state.release()
    store.add('c', 'bob', '2')
    store.remove('c', 'ann')
    store.drop('c')
    store.add('d', 'eve', '3')
    state.rollback()
    expect([...store.members('c')]).toEqual([['ann', '1']])
    expect([...store.keys()]).toEqual(['c'])
  })
})

describe('transactions on their way', () => {
  test('reads see the writes of sealed transactions, newest first', async () => {
    const harness = await open(stock)
    harness.store.put('a', '1')
    harness.seal()
    harness.store.put('a', '2')
    harness.seal()
    expect(harness.store.get('a')).toBe('2')
    harness.settle()
    expect(harness.store.get('a')).toBe('2')
    expect(harness.dump()).toEqual([
      `${Buffer.from('\u0001a').toString('hex')}=${Buffer.from('1').toString('hex')}`,
    ])
  })

  test('discard leaves what is committed, and set segments keep their numbers', async () => {
    const harness = await open(holders)
    harness.store.add('c', 'ann', '1')
    harness.commit()
    harness.store.add('c', 'bob', '2')
    harness.seal()
    harness.store.add('c', 'eve', '3')
    harness.discard()
    expect([...harness.store.members('c')]).toEqual([['ann', '1']])
    harness.store.add('c', 'dan', '4')
    harness.commit()
    const segments = [...harness.state.dump('holders')].map(([key]) => readSegmentKey(key).number)
    expect(segments).toEqual([0, 1])
    await harness.reopen()
    expect([...harness.store.members('c')].toSorted(([a], [b]) => (a < b ? -1 : 1))).toEqual([
      ['ann', '1'],
      ['dan', '4'],
    ])
  })
})

describe('changelog', () => {
  test('a key is one record a transaction, however often it was written', async () => {
    const harness = await open(stock)
    for (let round = 0; round < 10; round++) harness.store.put('a', String(round))
    harness.commit()
    expect(harness.end).toBe(1)
  })

  test('the state is the fold of the changelog, byte for byte', async () => {
    const harness = await open(stock)
    harness.store.put('a', '1')
    harness.store.put('b', '2')
    harness.commit()
    harness.store.delete('a')
    harness.store.put('c', '3')
    harness.commit()
    const local = harness.dump()
    await harness.restoreElsewhere()
    expect(harness.dump()).toEqual(local)
    expect(local).toHaveLength(2)
  })

  test('a large change of a set becomes several segments, each within the limit', async () => {
    const harness = await open(holders)
    const member = 'm'.repeat(1000)
    for (let count = 0; count < 1000; count++) harness.store.add('c', `${count}${member}`, '')
    harness.commit()
    const values = [...harness.state.dump('holders')].map(([, value]) => value.length)
    expect(values.length).toBeGreaterThan(3)
    expect(Math.max(...values)).toBeLessThanOrEqual(segmentBytesMax)
    await harness.restoreElsewhere()
    expect(harness.store.size('c')).toBe(1000)
  })

  test('dropping a set deletes its segments', async () => {
    const harness = await open(holders)
    for (const member of ['ann', 'bob', 'eve']) {
      harness.store.add('c', member, '1')
      harness.commit()
    }
    harness.store.drop('c')
    harness.store.add('c', 'dan', '1')
    harness.commit()
    expect(harness.dump()).toHaveLength(1)
    await harness.restoreElsewhere()
    expect([...harness.store.members('c')]).toEqual([['dan', '1']])
  })

  test('the position travels with the changelog and is hidden from scans', async () => {
    const harness = await open(stock)
    harness.store.put('a', '1')
    const position = { inputs: [{ topic: 'in', partition: 3, offset: 42 }], streamTime: 1_700_000_000_000 }
    harness.sealWithPosition(position)
    harness.settle()
    expect(harness.state.position()).toEqual(position)
    expect([...harness.store.range()]).toEqual([['a', '1']])
    expect(harness.dump()[0]?.startsWith(`0${changelogKind.position}=`)).toBe(true)
    await harness.restoreElsewhere()
    expect(harness.state.position()).toEqual(position)
  })
})

describe('checkpoint', () => {
  test('moves with each committed transaction and survives reopening', async () => {
    const harness = await open(stock)
    expect(harness.state.checkpoint('stock')).toBe(undefined)
    harness.store.put('a', '1')
    harness.commit()
    await harness.reopen()
    expect(harness.state.checkpoint('stock')).toEqual(harness.checkpointAt(1))
  })

  test('is dated anew where it is, unless it is young', async () => {
    const harness = await open(stock)
    harness.state.renewCheckpoints(1e9)
    expect(harness.state.checkpoint('stock')).toBe(undefined)
    harness.store.put('a', '1')
    harness.commit()
    const written = harness.checkpointAt(1)
    harness.state.renewCheckpoints(written.writtenAt + 3_599_999)
    expect(harness.state.checkpoint('stock')).toEqual(written)
    harness.state.renewCheckpoints(written.writtenAt + 3_600_000)
    await harness.reopen()
    expect(harness.state.checkpoint('stock')).toEqual({
      ...written,
      writtenAt: written.writtenAt + 3_600_000,
    })
  })

  test('a store that is not persistent has none after reopening', async () => {
    const harness = await StateHarness.open(
      keyValueStore({ name: 'cache', key: utf8, value: utf8, persistent: false }),
    )
    onTestFinished(() => harness.close())
    harness.store.put('a', '1')
    harness.commit()
    expect(harness.state.checkpoint('cache')).toEqual(harness.checkpointAt(1))
    await harness.reopen()
    expect(harness.state.checkpoint('cache')).toBe(undefined)
    expect(harness.store.get('a')).toBe(undefined)
  })
})

test('a set beyond the memory budget is read again from its segments', async () => {
  const harness = await StateHarness.open(holders, { setMemoryBytesMax: 1 })
  onTestFinished(() => harness.close())
  for (const key of ['c', 'd', 'e']) {
    harness.store.add(key, 'ann', key)
    harness.commit()
  }
  expect(['c', 'd', 'e'].map((key) => harness.store.get(key, 'ann'))).toEqual(['c', 'd', 'e'])
})
