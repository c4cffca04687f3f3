import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { keyValueStore, setStore, utf8 } from '#topology'
import { MemoryBackend } from './memory-backend.ts'
import { OpenScans } from './open-scans.ts'
import { RocksBackend } from './rocksdb-backend.ts'
import { StateHarness } from './testing/state-harness.ts'

const entries = keyValueStore({ name: 'entries', key: utf8, value: utf8 })
const sets = setStore({ name: 'sets', key: utf8, member: utf8, value: utf8 })

/** More than a cursor reads at once, so that a half-read iterator has one open. */
const many = 2000

async function openEntries(): Promise<StateHarness<typeof entries>> {
  const harness = await StateHarness.open(entries)
  onTestFinished(() => harness.close())
  for (let number = 0; number < many; number++) harness.store.put(`key ${number}`, 'value')
  harness.commit()
  return harness
}

const closed = expect.objectContaining({ code: 'STATE_ITERATOR_CLOSED' })

describe('an iterator over RocksDB', () => {
  test('may be half-read when the state is closed, and says so afterwards', async () => {
    const harness = await openEntries()
    const { state, store } = harness
    const range = store.range()
    const untouched = store.prefix('key')
    expect(range.next().value).toEqual(['key 0', 'value'])
    const dump = state.dump('entries')
    dump.next()
    await state.close()
    expect(() => range.next()).toThrow(closed)
    expect(() => untouched.next()).toThrow(closed)
    expect(() => [...dump]).toThrow(expect.objectContaining({ code: 'ROCKSDB_CLOSED' }))
    expect(() => store.get('absent')).toThrow(expect.objectContaining({ code: 'ROCKSDB_CLOSED' }))
    await harness.reopen()
    expect(harness.store.approximateCount()).toBe(many)
  })

  test('ends with its transaction', async () => {
    const harness = await openEntries()
    const kept = harness.store.range()
    kept.next()
    harness.commit()
    expect(() => kept.next()).toThrow(closed)
    expect([...harness.store.range()]).toHaveLength(many)
  })

  test('sees the same whether it began before or after other writes of its transaction', async () => {
    const harness = await openEntries()
    const early = harness.store.range()
    early.next()
    const late = harness.store.range()
    harness.store.put('key 5', 'new')
    harness.store.delete('key 6')
    expect([...late].slice(1)).toEqual([...early])
  })
})

test('an iterator over a set that is in the database is cut off like others', async () => {
  const harness = await StateHarness.open(sets, { setMemoryBytesMax: 1, setShardFromBytes: 1 })
  onTestFinished(() => harness.close())
  for (let number = 0; number < many; number++) harness.store.add('s', `member ${number}`, 'value')
  harness.commit()
  const members = harness.store.members('s')
  members.next()
  await harness.state.close()
  expect(() => members.next()).toThrow(closed)
  await harness.reopen()
  expect([...harness.store.members('s')]).toHaveLength(many)
})

test('leaving a loop, finishing it and closing all of them release what is below', () => {
  const scans = new OpenScans()
  let released = 0
  function* steps(): Generator<number> {
    try {
      yield 1
      yield 2
    } finally {
      released++
    }
  }
  for (const _ of scans.guard(steps())) break
  expect([released, scans.count]).toEqual([1, 0])
  expect([...scans.guard(steps())]).toEqual([1, 2])
  expect([released, scans.count]).toEqual([2, 0])
  scans.guard(steps()).next()
  scans.closeAll()
  expect([released, scans.count]).toEqual([3, 0])
})

test.each(['memory', 'rocksdb'])('%s deletes a range and nothing beside it', async (kind) => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-backend-'))
  const backend = kind === 'memory' ? new MemoryBackend() : await RocksBackend.open(directory)
  onTestFinished(async () => {
    await backend.close()
    await rm(directory, { recursive: true })
  })
  const keys = ['a', 'b', 'ba', 'c'].map((key) => Buffer.from(key))
  backend.write((batch) => keys.forEach((key) => batch.put(key, key)))
  backend.deleteRange({ gte: Buffer.from('b'), lt: Buffer.from('c') })
  expect(backend.getMany(keys).map(String)).toEqual(['a', 'undefined', 'undefined', 'c'])
})
