import { expect, test } from 'vitest'
import { keyValueStoreSuite, setStoreSuite } from '../conformance/index.ts'
import { int64, keyValueStore, setStore, utf8 } from '../index.ts'
import { MemoryKeyValueStore } from './key-value-store.ts'
import { MemorySetStore } from './set-store.ts'
import { undoAll } from './undo-log.ts'
import type { UndoLog } from './undo-log.ts'

keyValueStoreSuite({
  name: 'MemoryKeyValueStore',
  persistent: false,
  open: (spec) => ({ store: new MemoryKeyValueStore(spec) }),
})

setStoreSuite({
  name: 'MemorySetStore',
  persistent: false,
  open: (spec) => ({ store: new MemorySetStore(spec) }),
})

test('undo brings a key-value store back to its savepoint', () => {
  const undo: UndoLog = []
  const store = new MemoryKeyValueStore(keyValueStore({ name: 's', key: utf8, value: int64 }), undo)
  store.put('a', 1)
  store.put('b', 2)
  undo.length = 0
  store.put('a', 3)
  store.put('a', 4)
  store.delete('b')
  store.put('c', 5)
  undoAll(undo)
  expect([...store.range()]).toEqual([
    ['a', 1],
    ['b', 2],
  ])
})

test('undo brings a set store back to its savepoint', () => {
  const undo: UndoLog = []
  const store = new MemorySetStore(setStore({ name: 's', key: utf8, member: utf8, value: int64 }), undo)
  store.add('s', 'a', 1)
  undo.length = 0
  store.add('s', 'b', 2)
  store.remove('s', 'a')
  store.drop('s')
  store.add('s', 'c', 3)
  store.add('t', 'd', 4)
  undoAll(undo)
  expect([...store.keys()]).toEqual(['s'])
  expect([...store.members('s')]).toEqual([['a', 1]])
})
