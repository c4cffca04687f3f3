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

/** Room that is kept between records; emptying an array for each of them would allocate it again for each. */
const keptMax = 1024

export class Journal {
  #size = 0
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
    this.#note(map, key, map.get(key))
    map.set(key, value)
  }

  /** Notes that `target` is about to grow from `length`, by `bytes`. */
  grows(target: Undoable, length: number, bytes: number): void {
    this.writtenBytes += bytes
    this.#note(target, length, undefined)
  }

  #note(target: Map<MapKey, unknown> | Undoable, key: MapKey, previous: unknown): void {
    const at = this.#size++
    this.#targets[at] = target
    this.#keys[at] = key
    this.#previous[at] = previous
  }

  /** Accepts everything noted so far: it can no longer be undone. */
  release(): void {
    if (this.#size > keptMax) this.#forget()
    this.#size = 0
  }

  /** What is noted keeps alive what it is about. */
  #forget(): void {
    this.#targets.length = 0
    this.#keys.length = 0
    this.#previous.length = 0
  }

  /** Undoes everything since the last release, newest first. */
  rollback(): void {
    for (let at = this.#size - 1; at >= 0; at--) {
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
    this.#forget()
    this.#size = 0
  }
}
