import { decode, encode } from '../serde.ts'
import type { SetStore, SetStoreSpec } from '../store.ts'
import { EncodedMap, encodedKey, keyBytes } from './encoded-map.ts'
import type { EncodedKey } from './encoded-map.ts'
import type { UndoLog } from './undo-log.ts'

/** The reference implementation: a map of maps. A set without members is not kept. Iterators are snapshots. */
export class MemorySetStore<K, M, V> implements SetStore<K, M, V> {
  readonly #spec: SetStoreSpec<K, M, V>
  readonly #undo: UndoLog | undefined
  readonly #sets: EncodedMap<EncodedMap<Buffer>>

  constructor(spec: SetStoreSpec<K, M, V>, undo?: UndoLog) {
    this.#spec = spec
    this.#undo = undo
    this.#sets = new EncodedMap(undo)
  }

  has(key: K, member: M): boolean {
    return this.#set(key)?.get(this.#encodedMember(member)) !== undefined
  }

  get(key: K, member: M): V | undefined {
    const value = this.#set(key)?.get(this.#encodedMember(member))
    return value === undefined ? undefined : decode(this.#spec.value, value)
  }

  size(key: K): number {
    return this.#set(key)?.size ?? 0
  }

  members(key: K): IterableIterator<[M, V]> {
    const { member: memberSerde, value: valueSerde } = this.#spec
    const entries = this.#set(key)?.select(() => true) ?? []
    return entries
      .map(([member, value]): [M, V] => [decode(memberSerde, keyBytes(member)), decode(valueSerde, value)])
      .values()
  }

  keys(): IterableIterator<K> {
    const entries = this.#sets.select(() => true)
    return entries.map(([key]) => decode(this.#spec.key, keyBytes(key))).values()
  }

  add(key: K, member: M, value: V): void {
    let set = this.#set(key)
    if (set === undefined) {
      set = new EncodedMap(this.#undo)
      this.#sets.set(this.#encodedKey(key), set)
    }
    set.set(this.#encodedMember(member), encode(this.#spec.value, value))
  }

  remove(key: K, member: M): void {
    const set = this.#set(key)
    if (set === undefined) return
    set.set(this.#encodedMember(member), undefined)
    if (set.size === 0) this.drop(key)
  }

  drop(key: K): void {
    this.#sets.set(this.#encodedKey(key), undefined)
  }

  #set(key: K): EncodedMap<Buffer> | undefined {
    return this.#sets.get(this.#encodedKey(key))
  }

  #encodedKey(key: K): EncodedKey {
    return encodedKey(encode(this.#spec.key, key))
  }

  #encodedMember(member: M): EncodedKey {
    return encodedKey(encode(this.#spec.member, member))
  }
}
