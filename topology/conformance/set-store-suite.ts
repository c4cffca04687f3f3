/** What every SetStore must do. Run it over each implementation and each wrapper of one. */
import * as fc from 'fast-check'
import { expect } from 'vitest'
import { int64, utf8 } from '../serde.ts'
import type { Serde } from '../serde.ts'
import { setStore } from '../store.ts'
import type { SetStore, SetStoreSpec } from '../store.ts'
import { StoreSuite, StoreUnderTest } from './suite.ts'
import type { OpenedStore, Phase, StoreSuiteOptions } from './suite.ts'

export interface SetStoreSuiteOptions extends StoreSuiteOptions {
  /** A new, empty store. */
  open<K, M, V>(
    spec: SetStoreSpec<K, M, V>,
  ): OpenedStore<SetStore<K, M, V>> | Promise<OpenedStore<SetStore<K, M, V>>>
}

export function setStoreSuite(options: SetStoreSuiteOptions): void {
  const suite = new StoreSuite(options)
  suite.phases((phase) => registerTests(suite, options, phase))
}

function registerTests(suite: StoreSuite, options: SetStoreSuiteOptions, phase: Phase): void {
  const { persistent = true, seed = 1 } = options
  const openOf = async <K, M, V>(
    key: Serde<K>,
    member: Serde<M>,
    value: Serde<V>,
  ): Promise<StoreUnderTest<SetStore<K, M, V>>> => {
    const spec = setStore({ name: 'under-test', key, member, value, persistent })
    return new StoreUnderTest(await options.open(spec), phase)
  }
  const open = (): Promise<StoreUnderTest<SetStore<string, string, number>>> => openOf(utf8, utf8, int64)
  /** Each letter of `members` in the set `s`, with its place from 1 as the value. */
  const openWith = async (members: string): Promise<StoreUnderTest<SetStore<string, string, number>>> => {
    const subject = await open()
    Array.from(members).forEach((member, index) => subject.store.add('s', member, index + 1))
    return subject
  }

  suite.test('a set never written is empty', async () => {
    const store = await (await open()).settle()
    expect(store.has('s', 'a')).toBe(false)
    expect(store.get('s', 'a')).toBe(undefined)
    expect(store.size('s')).toBe(0)
    expect([...store.members('s')]).toEqual([])
    expect([...store.keys()]).toEqual([])
  })

  suite.test('members have their values', async () => {
    const store = await (await openWith('abc')).settle()
    expect(store.has('s', 'b')).toBe(true)
    expect(store.get('s', 'b')).toBe(2)
    expect(store.has('s', 'x')).toBe(false)
    expect(store.get('s', 'x')).toBe(undefined)
    expect(store.size('s')).toBe(3)
    expect(membersOf(store, 's')).toEqual([
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ])
  })

  suite.test('adding a member again replaces its value', async () => {
    const subject = await openWith('ab')
    let store = await subject.settle()
    store.add('s', 'a', 10)
    expect(store.get('s', 'a')).toBe(10)
    store = await subject.settle()
    expect(store.size('s')).toBe(2)
    expect(membersOf(store, 's')).toEqual([
      ['a', 10],
      ['b', 2],
    ])
  })

  suite.test('a removed member is gone until it is added again', async () => {
    const subject = await openWith('ab')
    let store = await subject.settle()
    store.remove('s', 'a')
    expect(store.has('s', 'a')).toBe(false)
    expect(store.size('s')).toBe(1)
    store = await subject.settle()
    expect(membersOf(store, 's')).toEqual([['b', 2]])
    store.add('s', 'a', 7)
    store = await subject.settle()
    expect(store.get('s', 'a')).toBe(7)
    expect(store.size('s')).toBe(2)
  })

  suite.test('removing an absent member does nothing', async () => {
    const subject = await openWith('a')
    subject.store.remove('s', 'x')
    subject.store.remove('other', 'x')
    const store = await subject.settle()
    store.remove('s', 'x')
    expect(store.size('s')).toBe(1)
    expect([...store.keys()]).toEqual(['s'])
  })

  suite.test('a set without members is no longer a key', async () => {
    const subject = await openWith('ab')
    let store = await subject.settle()
    store.remove('s', 'a')
    store.remove('s', 'b')
    expect([...store.keys()]).toEqual([])
    store = await subject.settle()
    expect(store.size('s')).toBe(0)
    expect([...store.keys()]).toEqual([])
    expect([...store.members('s')]).toEqual([])
  })

  suite.test('drop removes the whole set and no other', async () => {
    const subject = await openWith('abc')
    subject.store.add('t', 'a', 1)
    let store = await subject.settle()
    store.add('s', 'd', 4)
    store.drop('s')
    store.drop('absent')
    expect(store.has('s', 'a')).toBe(false)
    expect(store.size('s')).toBe(0)
    store = await subject.settle()
    expect([...store.members('s')]).toEqual([])
    expect(membersOf(store, 't')).toEqual([['a', 1]])
    expect([...store.keys()]).toEqual(['t'])
  })

  suite.test('a dropped set begins anew', async () => {
    const subject = await openWith('abc')
    let store = await subject.settle()
    store.drop('s')
    store.add('s', 'b', 20)
    store.add('s', 'x', 30)
    expect(store.get('s', 'b')).toBe(20)
    expect(store.has('s', 'a')).toBe(false)
    store = await subject.settle()
    expect(store.size('s')).toBe(2)
    expect(membersOf(store, 's')).toEqual([
      ['b', 20],
      ['x', 30],
    ])
    store.drop('s')
    store = await subject.settle()
    store.add('s', 'a', 1)
    store = await subject.settle()
    expect(membersOf(store, 's')).toEqual([['a', 1]])
  })

  suite.test('sets whose keys begin alike stay apart', async () => {
    const subject = await open()
    for (const key of ['', 'a', 'a\u0000', 'aa']) subject.store.add(key, `in ${key}`, 1)
    const store = await subject.settle()
    for (const key of ['', 'a', 'a\u0000', 'aa']) expect(membersOf(store, key)).toEqual([[`in ${key}`, 1]])
    store.drop('a')
    expect([...store.keys()]).toEqual(['', 'a\u0000', 'aa'])
    expect(store.size('a\u0000')).toBe(1)
  })

  suite.test('an empty member is a member like others', async () => {
    const subject = await openOf(utf8, utf8, utf8)
    subject.store.add('s', '', '')
    const store = await subject.settle()
    expect(store.has('s', '')).toBe(true)
    expect(store.get('s', '')).toBe('')
    expect([...store.members('s')]).toEqual([['', '']])
    store.remove('s', '')
    expect(store.size('s')).toBe(0)
  })

  suite.test('keys are in the order of their encoding', async () => {
    const ordered = [-(2 ** 40), -1, 0, 1, 256, 2 ** 40]
    const subject = await openOf(int64, int64, int64)
    for (const key of ordered.toReversed()) subject.store.add(key, -key, key)
    const store = await subject.settle()
    expect([...store.keys()]).toEqual(ordered)
    expect(store.get(-1, 1)).toBe(-1)
    store.add(-2, 1, 1)
    store.drop(0)
    expect([...store.keys()]).toEqual([-(2 ** 40), -2, -1, 1, 256, 2 ** 40])
  })

  suite.test('many members', async () => {
    const count = 20_000
    const subject = await openOf(utf8, int64, int64)
    for (let member = 0; member < count; member++) {
      subject.store.add('s', member, member * 2)
      if (member === count / 2) await subject.settle()
    }
    const store = await subject.settle()
    expect(store.size('s')).toBe(count)
    let sum = 0
    for (const [member, value] of store.members('s')) sum += value - member
    expect(sum).toBe((count * (count - 1)) / 2)
    expect(store.get('s', count - 1)).toBe((count - 1) * 2)
    expect(store.has('s', count)).toBe(false)
  })

  suite.test('an iterator is a snapshot as of its call', async () => {
    const store = await (await openWith('abc')).settle()
    store.add('s', 'd', 4)
    store.add('t', 'a', 1)
    const members = store.members('s')
    const keys = store.keys()
    const seen: unknown[] = [members.next().value]
    store.add('s', 'e', 5)
    store.add('s', 'a', 10)
    store.remove('s', 'b')
    store.drop('t')
    store.add('u', 'a', 1)
    for (const entry of members) seen.push(entry)
    expect(seen).toHaveLength(4)
    expect(seen).toEqual(
      expect.arrayContaining([
        ['a', 1],
        ['b', 2],
        ['c', 3],
        ['d', 4],
      ]),
    )
    expect([...keys]).toEqual(['s', 't'])
    expect(membersOf(store, 's')).toEqual([
      ['a', 10],
      ['c', 3],
      ['d', 4],
      ['e', 5],
    ])
  })

  suite.test('removing members while iterating over them visits each once', async () => {
    const store = await (await openWith('abcdef')).settle()
    const seen: string[] = []
    for (const [member] of store.members('s')) {
      seen.push(member)
      store.remove('s', member)
    }
    expect(seen.toSorted()).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
    expect(store.size('s')).toBe(0)
  })

  suite.test('an iterator may be left early', async () => {
    const subject = await openWith('abc')
    subject.store.add('t', 'a', 1)
    const store = await subject.settle()
    for (const _member of store.members('s')) break
    for (const _key of store.keys()) break
    store.members('s').next()
    store.add('s', 'd', 4)
    expect((await subject.settle()).size('s')).toBe(4)
  })

  suite.test('behaves like a Map of Maps', async () => {
    const key = fc.constantFrom('', 'a', 'b')
    const member = fc.stringMatching(/^[xy]{0,2}$/)
    const command = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ kind: fc.constant('add' as const), key, member, value: fc.integer() }),
      },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const), key, member }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('drop' as const), key, member }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('settle' as const), key, member }) },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 40 }), async (commands) => {
        const subject = await open()
        const model = new Map<string, Map<string, number>>()
        for (const step of commands) {
          const { store } = subject
          const set = model.get(step.key) ?? new Map<string, number>()
          if (step.kind === 'settle') {
            await subject.settle()
          } else if (step.kind === 'add') {
            store.add(step.key, step.member, step.value)
            set.set(step.member, step.value)
          } else if (step.kind === 'remove') {
            store.remove(step.key, step.member)
            set.delete(step.member)
          } else {
            store.drop(step.key)
            set.clear()
          }
          if (set.size === 0) model.delete(step.key)
          else model.set(step.key, set)
          expect(subject.store.has(step.key, step.member)).toBe(set.has(step.member))
          expect(subject.store.get(step.key, step.member)).toBe(set.get(step.member))
          expect(subject.store.size(step.key)).toBe(set.size)
        }
        const store = await subject.settle()
        expect([...store.keys()]).toEqual([...model.keys()].toSorted())
        for (const [name, set] of model) expect(membersOf(store, name)).toEqual(byMember(set))
        await subject.close()
      }),
      { seed, numRuns: phase === 'after reopen' ? 20 : 100 },
    )
  })
}

function membersOf<V>(store: SetStore<string, string, V>, key: string): [string, V][] {
  return byMember(store.members(key))
}

/** Sorted: a store may give its members in any order. */
function byMember<V>(members: Iterable<[string, V]>): [string, V][] {
  return [...members].toSorted(([a], [b]) => (a < b ? -1 : 1))
}
