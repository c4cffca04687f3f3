/** What every KeyValueStore must do. Run it over each implementation and each wrapper of one. */
import * as fc from 'fast-check'
import { expect } from 'vitest'
import { bytes, encode, int64, utf8 } from '../serde.ts'
import type { Serde } from '../serde.ts'
import { keyValueStore } from '../store.ts'
import type { KeyValueStore, KeyValueStoreSpec } from '../store.ts'
import { StoreSuite, StoreUnderTest } from './suite.ts'
import type { OpenedStore, Phase, StoreSuiteOptions } from './suite.ts'

export interface KeyValueStoreSuiteOptions extends StoreSuiteOptions {
  /** A new, empty store. */
  open<K, V>(
    spec: KeyValueStoreSpec<K, V>,
  ): OpenedStore<KeyValueStore<K, V>> | Promise<OpenedStore<KeyValueStore<K, V>>>
}

export function keyValueStoreSuite(options: KeyValueStoreSuiteOptions): void {
  const suite = new StoreSuite(options)
  suite.phases((phase) => registerTests(suite, options, phase))
}

function registerTests(suite: StoreSuite, options: KeyValueStoreSuiteOptions, phase: Phase): void {
  const { persistent = true, seed = 1 } = options
  const open = async <K, V>(key: Serde<K>, value: Serde<V>): Promise<StoreUnderTest<KeyValueStore<K, V>>> => {
    const spec = keyValueStore({ name: 'under-test', key, value, persistent })
    return new StoreUnderTest(await options.open(spec), phase)
  }
  /** A store that holds each letter of `keys`, as its own value. */
  const openWith = async (keys: string): Promise<StoreUnderTest<KeyValueStore<string, string>>> => {
    const subject = await open(utf8, utf8)
    for (const key of keys) subject.store.put(key, key)
    return subject
  }

  suite.test('a key never written is undefined', async () => {
    const store = await (await open(utf8, int64)).settle()
    expect(store.get('a')).toBe(undefined)
    expect([...store.range()]).toEqual([])
    expect([...store.prefix('')]).toEqual([])
  })

  suite.test('get returns the value put last', async () => {
    const subject = await open(utf8, int64)
    subject.store.put('a', 1)
    subject.store.put('b', 2)
    const store = await subject.settle()
    expect(store.get('a')).toBe(1)
    store.put('a', -3)
    store.put('a', 4)
    const again = await subject.settle()
    expect(again.get('a')).toBe(4)
    expect(again.get('b')).toBe(2)
  })

  suite.test('a deleted key is gone until it is put again', async () => {
    const subject = await openWith('ab')
    let store = await subject.settle()
    store.delete('a')
    expect(store.get('a')).toBe(undefined)
    store = await subject.settle()
    expect([...store.range()]).toEqual([['b', 'b']])
    store.put('a', 'again')
    store = await subject.settle()
    expect([...store.range()]).toEqual([
      ['a', 'again'],
      ['b', 'b'],
    ])
  })

  suite.test('deleting an absent key does nothing', async () => {
    const subject = await openWith('b')
    subject.store.delete('a')
    subject.store.delete('a')
    const store = await subject.settle()
    expect(store.get('a')).toBe(undefined)
    expect([...store.range()]).toEqual([['b', 'b']])
  })

  suite.test('a key written and deleted at once leaves nothing', async () => {
    const subject = await openWith('a')
    subject.store.delete('a')
    const store = await subject.settle()
    expect(store.get('a')).toBe(undefined)
    expect([...store.range()]).toEqual([])
  })

  suite.test('getMany answers in the order of its keys', async () => {
    const store = await (await openWith('abc')).settle()
    expect(store.getMany(['c', 'x', 'a', 'c'])).toEqual(['c', undefined, 'a', 'c'])
    expect(store.getMany([])).toEqual([])
  })

  suite.test('getMany sees what was written since', async () => {
    const store = await (await openWith('abc')).settle()
    store.put('b', 'new')
    store.delete('c')
    store.put('d', 'd')
    expect(store.getMany(['a', 'b', 'c', 'd'])).toEqual(['a', 'new', undefined, 'd'])
  })

  suite.test('a range includes its start and excludes its end', async () => {
    const store = await (await openWith('abcd')).settle()
    expect(keysOf(store.range('b', 'd'))).toEqual(['b', 'c'])
    expect(keysOf(store.range('aa', 'cc'))).toEqual(['b', 'c'])
    expect(keysOf(store.range('c'))).toEqual(['c', 'd'])
    expect(keysOf(store.range(undefined, 'c'))).toEqual(['a', 'b'])
    expect(keysOf(store.range())).toEqual(['a', 'b', 'c', 'd'])
    expect(keysOf(store.range('b', 'b'))).toEqual([])
    expect(keysOf(store.range('c', 'b'))).toEqual([])
    expect(keysOf(store.range('x'))).toEqual([])
  })

  suite.test('a range sees what was written since, each key once', async () => {
    const store = await (await openWith('aceg')).settle()
    store.put('b', 'b')
    store.put('c', 'new')
    store.delete('e')
    store.put('h', 'h')
    expect([...store.range()]).toEqual([
      ['a', 'a'],
      ['b', 'b'],
      ['c', 'new'],
      ['g', 'g'],
      ['h', 'h'],
    ])
    expect(keysOf(store.range('b', 'h'))).toEqual(['b', 'c', 'g'])
  })

  suite.test('a prefix selects the keys that begin with it', async () => {
    const subject = await open(utf8, utf8)
    for (const key of ['a', 'ab', 'abc', 'ac', 'b', 'ab\u0000']) subject.store.put(key, key)
    const store = await subject.settle()
    expect(keysOf(store.prefix('ab'))).toEqual(['ab', 'ab\u0000', 'abc'])
    expect(keysOf(store.prefix('abd'))).toEqual([])
    expect(keysOf(store.prefix(''))).toEqual(['a', 'ab', 'ab\u0000', 'abc', 'ac', 'b'])
    store.put('abb', 'abb')
    store.delete('ab')
    expect(keysOf(store.prefix('ab'))).toEqual(['ab\u0000', 'abb', 'abc'])
  })

  suite.test('a prefix of the highest bytes has no upper bound to miss', async () => {
    const subject = await open(bytes, utf8)
    for (const key of [[0xfe], [0xff], [0xff, 0], [0xff, 0xff], [0xff, 0xff, 1]]) {
      subject.store.put(Uint8Array.from(key), '')
    }
    const store = await subject.settle()
    const found = (prefix: number[]): number[][] =>
      keysOf(store.prefix(Uint8Array.from(prefix))).map((key) => Array.from(key))
    expect(found([0xff])).toEqual([[0xff], [0xff, 0], [0xff, 0xff], [0xff, 0xff, 1]])
    expect(found([0xff, 0xff])).toEqual([
      [0xff, 0xff],
      [0xff, 0xff, 1],
    ])
  })

  suite.test('order is that of the encoded keys', async () => {
    // U+FFFD sorts before U+1F600 as UTF-8, and after it as the UTF-16 of JavaScript strings.
    const ordered = ['', 'Z', 'a', 'aa', 'b', 'é', '\uFFFD', '\u{1F600}']
    const subject = await open(utf8, utf8)
    for (const key of ordered.toReversed()) subject.store.put(key, key)
    const store = await subject.settle()
    expect(keysOf(store.range())).toEqual(ordered)
    expect(keysOf(store.range('b', '\u{1F600}'))).toEqual(['b', 'é', '\uFFFD'])
  })

  suite.test('numbers as int64 are in their order, negative ones first', async () => {
    const ordered = [
      -Number.MAX_SAFE_INTEGER,
      -(2 ** 32) - 1,
      -256,
      -1,
      0,
      1,
      255,
      2 ** 32,
      Number.MAX_SAFE_INTEGER,
    ]
    const subject = await open(int64, int64)
    for (const key of ordered.toReversed()) subject.store.put(key, -key)
    const store = await subject.settle()
    expect(keysOf(store.range())).toEqual(ordered)
    expect(keysOf(store.range(-256, 255))).toEqual([-256, -1, 0, 1])
    expect(store.get(-1)).toBe(1)
  })

  suite.test('an empty key and an empty value are entries like others', async () => {
    const subject = await open(utf8, utf8)
    subject.store.put('', '')
    let store = await subject.settle()
    expect(store.get('')).toBe('')
    expect([...store.range()]).toEqual([['', '']])
    expect([...store.range('', 'a')]).toEqual([['', '']])
    expect([...store.range(undefined, '')]).toEqual([])
    store.delete('')
    store = await subject.settle()
    expect(store.get('')).toBe(undefined)
  })

  suite.test('large values come back whole', async () => {
    const large = Buffer.alloc(1 << 20, 'large value ')
    const subject = await open(utf8, bytes)
    subject.store.put('large', large)
    subject.store.put('small', Uint8Array.of(1))
    const store = await subject.settle()
    expect(large.equals(store.get('large') ?? Buffer.alloc(0))).toBe(true)
    expect([...(store.get('small') ?? [])]).toEqual([1])
  })

  suite.test('an iterator is a snapshot as of its call', async () => {
    const store = await (await openWith('aceg')).settle()
    store.put('b', 'b')
    const iterator = store.range('a')
    expect(iterator.next().value).toEqual(['a', 'a'])
    store.put('aa', 'new')
    store.put('c', 'new')
    store.delete('e')
    store.put('z', 'new')
    expect([...iterator]).toEqual([
      ['b', 'b'],
      ['c', 'c'],
      ['e', 'e'],
      ['g', 'g'],
    ])
    expect(keysOf(store.range())).toEqual(['a', 'aa', 'b', 'c', 'g', 'z'])
  })

  suite.test('writing to the entry in hand while iterating visits each entry once', async () => {
    const store = await (await openWith('abcdef')).settle()
    const seen: string[] = []
    for (const [key, value] of store.range()) {
      seen.push(key)
      if (key < 'd') store.put(key, `${value}!`)
      else store.delete(key)
    }
    expect(seen).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
    expect([...store.range()]).toEqual([
      ['a', 'a!'],
      ['b', 'b!'],
      ['c', 'c!'],
    ])
  })

  suite.test('an iterator may be left early', async () => {
    const subject = await openWith('abcdef')
    const store = await subject.settle()
    for (const [key] of store.range()) if (key === 'b') break
    const started = store.prefix('')
    started.next()
    store.put('g', 'g')
    const again = await subject.settle()
    expect(keysOf(again.range())).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g'])
  })

  suite.test('iterators do not disturb each other', async () => {
    const store = await (await openWith('abc')).settle()
    const pairs: string[] = []
    for (const [outer] of store.range()) for (const [inner] of store.range('b')) pairs.push(outer + inner)
    expect(pairs).toEqual(['ab', 'ac', 'bb', 'bc', 'cb', 'cc'])
  })

  suite.test('approximateCount is a count that a view can show', async () => {
    const subject = await openWith('abc')
    subject.store.put('a', 'again')
    subject.store.delete('b')
    const count = (await subject.settle()).approximateCount()
    if (persistent) expect(count).toBeGreaterThanOrEqual(0)
    else expect(count).toBe(2)
    expect(Number.isFinite(count)).toBe(true)
  })

  suite.test('behaves like a Map', async () => {
    const key = fc.stringMatching(/^[ab]{0,3}$/)
    const command = fc.oneof(
      fc.record({ kind: fc.constant('put' as const), key, value: fc.integer() }),
      fc.record({ kind: fc.constant('delete' as const), key }),
      fc.record({ kind: fc.constant('range' as const), from: fc.option(key), to: fc.option(key) }),
      fc.record({ kind: fc.constant('prefix' as const), key }),
      fc.record({ kind: fc.constant('settle' as const) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 40 }), async (commands) => {
        const subject = await open(utf8, int64)
        const model = new Map<string, number>()
        const expected = (wanted: (candidate: string) => boolean): [string, number][] =>
          [...model].filter(([candidate]) => wanted(candidate)).toSorted(([a], [b]) => bytewise(a, b))
        for (const step of commands) {
          const { store } = subject
          if (step.kind === 'settle') {
            await subject.settle()
          } else if (step.kind === 'put') {
            store.put(step.key, step.value)
            model.set(step.key, step.value)
          } else if (step.kind === 'delete') {
            store.delete(step.key)
            model.delete(step.key)
          } else if (step.kind === 'prefix') {
            expect([...store.prefix(step.key)]).toEqual(
              expected((candidate) => candidate.startsWith(step.key)),
            )
          } else {
            const { from, to } = step
            expect([...store.range(from ?? undefined, to ?? undefined)]).toEqual(
              expected(
                (candidate) => (from === null || candidate >= from) && (to === null || candidate < to),
              ),
            )
          }
          if ('key' in step) expect(store.get(step.key)).toBe(model.get(step.key))
        }
        await subject.settle()
        expect([...subject.store.range()]).toEqual(expected(() => true))
        const all = [...model.keys()]
        expect(subject.store.getMany([...all, 'absent'])).toEqual([...model.values(), undefined])
        await subject.close()
      }),
      { seed, numRuns: phase === 'after reopen' ? 20 : 100 },
    )
  })
}

function keysOf<K>(entries: Iterable<[K, unknown]>): K[] {
  return [...entries].map(([key]) => key)
}

function bytewise(a: string, b: string): number {
  return encode(utf8, a).compare(encode(utf8, b))
}
