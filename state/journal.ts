/**
 * The undo log of one record: every change of an overlay is noted with how to undo it, so that a record that fails is
 * taken back alone. Flat arrays, because this runs for every write of every record.
 */
import { roughSize } from './value-size.ts'

export type MapKey = string | number

/** Something that grows in one direction. */
export interface Undoable {
  /** Back to how it was at this length. */
  rollback(length: number): void
}

export class Journal {
  readonly #targets: (Map<MapKey, unknown> | Undoable)[] = []
  /** Of a Map: the key; of others: the length to go back to. */
  readonly #keys: MapKey[] = []
  /** Of a Map; undefined: the key was absent. */
  readonly #previous: unknown[] = []

  /** About how many bytes were written since the last seal; what was rolled back counts too. */
  writtenBytes = 0

  /** Sets `key` in `map` and notes how to undo it. */
  set<V>(map: Map<MapKey, V>, key: MapKey, value: V): void {
    this.writtenBytes += roughSize(key) + roughSize(value)
    this.#targets.push(map)
    this.#keys.push(key)
    this.#previous.push(map.get(key))
    map.set(key, value)
  }

  /** Notes that `target` is about to grow from `length`, by `bytes`. */
  grows(target: Undoable, length: number, bytes: number): void {
    this.writtenBytes += bytes
    this.#targets.push(target)
    this.#keys.push(length)
    this.#previous.push(undefined)
  }

  /** Accepts everything noted so far: it can no longer be undone. */
  release(): void {
    if (this.#targets.length === 0) return
    this.#targets.length = 0
    this.#keys.length = 0
    this.#previous.length = 0
  }

  /** Undoes everything since the last release, newest first. */
  rollback(): void {
    for (let at = this.#targets.length - 1; at >= 0; at--) {
      const target = this.#targets[at] as Map<MapKey, unknown> | Undoable
      const key = this.#keys[at] as MapKey
      if (!(target instanceof Map)) {
        target.rollback(key as number)
        continue
      }
      const previous = this.#previous[at]
      if (previous === undefined) target.delete(key)
      else target.set(key, previous)
    }
    this.release()
  }
}
