/**
 * The store contracts that processors see, and the specifications that topologies name.
 *
 * Everything is synchronous: a processor runs inside a transaction on one thread. Values are immutable: what a store
 * returned must not be changed in place, put a new value instead (the engine keeps references for rollback).
 * Iteration is in the order of the encoded keys, sees the writes of the own transaction up to the call that began it
 * and none after (a snapshot, so writing while iterating is safe), and may be left early.
 */
import { MillraceError } from '#core'
import type { Serde } from './serde.ts'

export interface ReadonlyKeyValueStore<K, V> {
  get(key: K): V | undefined
  /** Values in the order of the keys. */
  getMany(keys: readonly K[]): (V | undefined)[]
  /** Entries with from <= key < to; an absent bound is open. */
  range(from?: K, to?: K): IterableIterator<[K, V]>
  /** Entries whose encoded key starts with the encoded `prefix`. */
  prefix(prefix: K): IterableIterator<[K, V]>
  /** An estimate; exact for stores in memory. */
  approximateCount(): number
}

export interface KeyValueStore<K, V> extends ReadonlyKeyValueStore<K, V> {
  put(key: K, value: V): void
  delete(key: K): void
}

export interface ReadonlySetStore<K, M, V> {
  has(key: K, member: M): boolean
  /** The value kept with a member. */
  get(key: K, member: M): V | undefined
  /** Number of members; 0 for a set never written. */
  size(key: K): number
  /** Members of one set, in no particular order. */
  members(key: K): IterableIterator<[M, V]>
  /** Keys of the sets that are not empty, in the order of the encoded keys. */
  keys(): IterableIterator<K>
}

/** Members per key, with a small value each. Cheap to grow: one changelog record a transaction and key. */
export interface SetStore<K, M, V> extends ReadonlySetStore<K, M, V> {
  /** Adds a member or replaces its value. */
  add(key: K, member: M, value: V): void
  remove(key: K, member: M): void
  /** Removes the whole set. */
  drop(key: K): void
}

export interface KeyValueStoreSpec<K, V> {
  readonly kind: 'key-value'
  readonly name: string
  readonly key: Serde<K>
  readonly value: Serde<V>
  readonly persistent: boolean
}

export interface SetStoreSpec<K, M, V> {
  readonly kind: 'set'
  readonly name: string
  readonly key: Serde<K>
  readonly member: Serde<M>
  readonly value: Serde<V>
  readonly persistent: boolean
}

/** A store of any types. `never` in the serdes' write position keeps every concrete spec assignable. */
export type StoreSpec = AnyKeyValueStoreSpec | AnySetStoreSpec

interface AnySerde {
  readonly name: string
  readonly nullable?: boolean
  write(value: never, out: never): void
  read(buffer: Buffer, start: number, end: number): unknown
}

interface AnyKeyValueStoreSpec {
  readonly kind: 'key-value'
  readonly name: string
  readonly key: AnySerde
  readonly value: AnySerde
  readonly persistent: boolean
}

interface AnySetStoreSpec {
  readonly kind: 'set'
  readonly name: string
  readonly key: AnySerde
  readonly member: AnySerde
  readonly value: AnySerde
  readonly persistent: boolean
}

/** The store a processor gets for a specification: types follow without casts. */
export type StoreOf<S> =
  S extends KeyValueStoreSpec<infer K, infer V>
    ? KeyValueStore<K, V>
    : S extends SetStoreSpec<infer K, infer M, infer V>
      ? SetStore<K, M, V>
      : never

/** Store names are part of topic and directory names, and never change: renaming a store abandons its state. */
const namePattern = /^[a-z0-9][a-z0-9._-]{0,99}$/

export function isStoreName(name: string): boolean {
  return namePattern.test(name)
}

function checkedName(name: string): string {
  if (!isStoreName(name)) {
    throw new MillraceError(
      'TOPOLOGY_INVALID_NAME',
      `"${name}" is not a store name. Use 1 to 100 of a-z 0-9 . _ - and begin with a letter or digit.`,
      { domain: 'user', reaction: 'stop' },
    )
  }
  return name
}

export function keyValueStore<K, V>(options: {
  readonly name: string
  readonly key: Serde<K>
  readonly value: Serde<V>
  /** false: in memory, restored whole from the changelog at each start. Default true. */
  readonly persistent?: boolean
}): KeyValueStoreSpec<K, V> {
  const { name, key, value, persistent = true } = options
  return Object.freeze({ kind: 'key-value', name: checkedName(name), key, value, persistent })
}

export function setStore<K, M, V>(options: {
  readonly name: string
  readonly key: Serde<K>
  readonly member: Serde<M>
  readonly value: Serde<V>
  readonly persistent?: boolean
}): SetStoreSpec<K, M, V> {
  const { name, key, member, value, persistent = true } = options
  return Object.freeze({ kind: 'set', name: checkedName(name), key, member, value, persistent })
}
