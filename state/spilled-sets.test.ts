import { expect, onTestFinished, test } from 'vitest'
import { setStore, utf8 } from '#topology'
import { localKind } from './changelog.ts'
import { StateHarness } from './testing/state-harness.ts'
import { memoryDisk } from './testing/test-storage.ts'

const sets = setStore({ name: 'sets', key: utf8, member: utf8, value: utf8 })
const storage = memoryDisk()

/** Every member is in the database. */
async function open(): Promise<StateHarness<typeof sets>> {
  const harness = await StateHarness.open(sets, { storage, setMemoryBytesMax: 1, setShardFromBytes: 1 })
  onTestFinished(() => harness.close())
  for (const member of ['ann', 'bob', 'eve', 'dan']) {
    harness.store.add('s', member, '1')
    harness.commit()
  }
  return harness
}

/** Database entries of spilled members. */
async function memberKeys({ state }: StateHarness<typeof sets>): Promise<Buffer[]> {
  const backend = await storage.open(state.directory)
  const range = { gte: Buffer.from([1, localKind.member]), lt: Buffer.from([1, localKind.member + 1]) }
  return [...backend.scan(range)].map(([key]) => key)
}

test('members are looked up in the database, and no checker sees them there', async () => {
  const harness = await open()
  expect(await memberKeys(harness)).toHaveLength(4)
  expect(harness.dump()).toHaveLength(4)
  expect(harness.store.get('s', 'bob')).toBe('1')
  await harness.reopen()
  expect(harness.store.has('s', 'eve')).toBe(true)
  expect(harness.store.has('s', 'zoe')).toBe(false)
})

test('dropping the set leaves nothing of it', async () => {
  const harness = await open()
  harness.store.drop('s')
  harness.commit()
  expect(await memberKeys(harness)).toEqual([])
})

test('what a crash left behind of an earlier spill is no member', async () => {
  const harness = await open()
  const [key] = await memberKeys(harness)
  const stray = Buffer.concat([key ?? Buffer.alloc(0), Buffer.from('stray')])
  harness.store.drop('s')
  harness.commit()
  const backend = await storage.open(harness.state.directory)
  backend.write((batch) => batch.put(stray, Buffer.from('1')))
  harness.store.add('s', 'ann', '2')
  harness.commit()
  expect([...harness.store.members('s')]).toEqual([['ann', '2']])
})

test('a drop that is learned from the changelog empties it', async () => {
  const harness = await open()
  harness.store.drop('s')
  harness.store.add('s', 'zoe', '2')
  harness.seal()
  harness.loseOutcome()
  expect([...harness.store.members('s')]).toEqual([['zoe', '2']])
  expect(harness.store.has('s', 'ann')).toBe(false)
})

test('segments that are learned from the changelog are added', async () => {
  const harness = await open()
  harness.store.add('s', 'zoe', '2')
  harness.store.remove('s', 'ann')
  harness.seal()
  harness.loseOutcome()
  expect([...harness.store.members('s')].map(([member]) => member).toSorted()).toEqual([
    'bob',
    'dan',
    'eve',
    'zoe',
  ])
})

test('a set dropped behind a merge that is on its way is gone in the changelog too', async () => {
  const harness = await open()
  harness.store.add('s', 'zoe', '2')
  expect(harness.state.mergeSegments(1 << 20)).toBe(true)
  harness.seal()
  expect(harness.state.mergeSegments(1 << 20)).toBe(false)
  harness.store.drop('s')
  harness.store.add('s', 'new', '3')
  harness.seal()
  harness.settle()
  harness.settle()
  expect(harness.dump()).toHaveLength(1)
  await harness.restoreElsewhere()
  expect([...harness.store.members('s')]).toEqual([['new', '3']])
})

test('a merge leaves one segment, and merging again does nothing', async () => {
  const harness = await open()
  expect(harness.state.mergeSegments(1 << 20)).toBe(true)
  harness.commit()
  expect(harness.dump()).toHaveLength(1)
  expect(harness.state.mergeSegments(1 << 20)).toBe(false)
  expect(harness.state.dirtyStores()).toEqual([])
  expect(harness.store.size('s')).toBe(4)
})

test('memory stays within the budget however large the sets', async () => {
  const budget = 600_000
  const harness = await StateHarness.open(sets, {
    storage,
    setMemoryBytesMax: budget,
    setShardFromBytes: 150_000,
  })
  onTestFinished(() => harness.close())
  for (let number = 0; number < 20_000; number++) {
    harness.store.add(`set ${number % 3}`, `member ${number}`, 'value')
    if (number % 1000 === 999) {
      harness.commit()
      expect(harness.state.setMemoryBytes).toBeLessThanOrEqual(budget)
    }
  }
  for (let number = 0; number < 20_000; number += 777) {
    expect(harness.store.has(`set ${number % 3}`, `member ${number}`)).toBe(true)
    expect(harness.store.has(`set ${(number + 1) % 3}`, `member ${number}`)).toBe(false)
  }
  await harness.reopen()
  expect([0, 1, 2].reduce((sum, set) => sum + harness.store.size(`set ${set}`), 0)).toBe(20_000)
  expect(harness.state.setMemoryBytes).toBeLessThanOrEqual(budget)
})
