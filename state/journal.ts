/**
 * The undo log of one record: every change of an overlay Map is noted with what was there before, so that a record
 * that fails is taken back alone. Flat arrays, because this runs for every write of every record.
 */
import { roughSize } from './value-size.ts'

export type MapKey = string | number

export class Journal {
  readonly #maps: Map<MapKey, unknown>[] = []
  readonly #keys: MapKey[] = []
  /** undefined: the key was absent. */
  readonly #previous: unknown[] = []

  /** About how many bytes were written since the last seal; what was rolled back counts too. */
  writtenBytes = 0

  /** Sets `key` in `map` and notes how to undo it. */
  set<V>(map: Map<MapKey, V>, key: MapKey, value: V): void {
    this.writtenBytes += roughSize(key) + roughSize(value)
    this.#maps.push(map)
    this.#keys.push(key)
    this.#previous.push(map.get(key))
    map.set(key, value)
  }

  /** Accepts everything noted so far: it can no longer be undone. */
  release(): void {
    if (this.#maps.length === 0) return
    this.#maps.length = 0
    this.#keys.length = 0
    this.#previous.length = 0
  }

  /** Undoes everything since the last release, newest first. */
  rollback(): void {
    for (let at = this.#maps.length - 1; at >= 0; at--) {
      const map = this.#maps[at] as Map<MapKey, unknown>
      const key = this.#keys[at] as MapKey
      const previous = this.#previous[at]
      if (previous === undefined) map.delete(key)
      else map.set(key, previous)
    }
    this.release()
  }
}
