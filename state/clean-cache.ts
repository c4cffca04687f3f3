import type { MapKey } from './journal.ts'

/**
 * Committed values kept decoded, so that a key read over and over (a hot item, a counter) is not looked up and
 * decoded each time. Bounded by count, in two generations: what was not read since the young one filled up goes.
 */
export class CleanCache<V> {
  readonly #generationMax: number
  #young = new Map<MapKey, V>()
  #old = new Map<MapKey, V>()

  /** @param entriesMax entries kept, of any size */
  constructor(entriesMax: number) {
    this.#generationMax = Math.ceil(entriesMax / 2)
  }

  get(key: MapKey): V | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.set(key, old)
    return old
  }

  set(key: MapKey, value: V): void {
    if (this.#young.size >= this.#generationMax) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, value)
  }

  clear(): void {
    this.#young.clear()
    this.#old.clear()
  }
}
