import { decode, encode } from '../serde.ts'
import type { KeyValueStore, KeyValueStoreSpec } from '../store.ts'
import { EncodedMap, encodedKey, keyBytes } from './encoded-map.ts'
import type { EncodedKey } from './encoded-map.ts'
import type { UndoLog } from './undo-log.ts'

/**
 * The reference implementation, for the test driver and as a model of others. Values are kept encoded, so that a
 * serde which loses something shows in a test. Iterators are snapshots.
 */
export class MemoryKeyValueStore<K, V> implements KeyValueStore<K, V> {
  readonly #spec: KeyValueStoreSpec<K, V>
  readonly #entries: EncodedMap<Buffer>

  constructor(spec: KeyValueStoreSpec<K, V>, undo?: UndoLog) {
    this.#spec = spec
    this.#entries = new EncodedMap(undo)
  }

  get(key: K): V | undefined {
    const value = this.#entries.get(this.#encodedKey(key))
    return value === undefined ? undefined : decode(this.#spec.value, value)
  }

  getMany(keys: readonly K[]): (V | undefined)[] {
    return keys.map((key) => this.get(key))
  }

  put(key: K, value: V): void {
    this.#entries.set(this.#encodedKey(key), encode(this.#spec.value, value))
  }

  delete(key: K): void {
    this.#entries.set(this.#encodedKey(key), undefined)
  }

  range(from?: K, to?: K): IterableIterator<[K, V]> {
    const first = from === undefined ? undefined : this.#encodedKey(from)
    const end = to === undefined ? undefined : this.#encodedKey(to)
    return this.#select((key) => (first === undefined || key >= first) && (end === undefined || key < end))
  }

  prefix(prefix: K): IterableIterator<[K, V]> {
    const start = this.#encodedKey(prefix)
    return this.#select((key) => key.startsWith(start))
  }

  approximateCount(): number {
    return this.#entries.size
  }

  #encodedKey(key: K): EncodedKey {
    return encodedKey(encode(this.#spec.key, key))
  }

  #select(wanted: (key: EncodedKey) => boolean): IterableIterator<[K, V]> {
    const { key: keySerde, value: valueSerde } = this.#spec
    const entries = this.#entries.select(wanted)
    return entries
      .map(([key, value]): [K, V] => [decode(keySerde, keyBytes(key)), decode(valueSerde, value)])
      .values()
  }
}
