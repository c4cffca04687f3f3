/**
 * Entries in the order of their encoded keys, the base of the plain memory stores.
 *
 * Keys are the bytes as latin1 text, one character a byte, so that the order of JavaScript strings is the bytes'.
 * Written to be obviously right: reading a range sorts and copies.
 */
import { compareText } from '../compare-text.ts'
import type { UndoLog } from './undo-log.ts'

export type EncodedKey = string

export function encodedKey(bytes: Buffer): EncodedKey {
  return bytes.toString('latin1')
}

export function keyBytes(key: EncodedKey): Buffer {
  return Buffer.from(key, 'latin1')
}

export class EncodedMap<T> {
  readonly #entries = new Map<EncodedKey, T>()
  readonly #undo: UndoLog | undefined

  constructor(undo?: UndoLog) {
    this.#undo = undo
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: EncodedKey): T | undefined {
    return this.#entries.get(key)
  }

  /** `undefined` deletes. */
  set(key: EncodedKey, value: T | undefined): void {
    const before = this.#entries.get(key)
    this.#undo?.push(() => this.#write(key, before))
    this.#write(key, value)
  }

  /** A copy of the entries whose keys `wanted` accepts. */
  select(wanted: (key: EncodedKey) => boolean): [EncodedKey, T][] {
    return [...this.#entries].filter(([key]) => wanted(key)).toSorted(([a], [b]) => compareText(a, b))
  }

  #write(key: EncodedKey, value: T | undefined): void {
    if (value === undefined) this.#entries.delete(key)
    else this.#entries.set(key, value)
  }
}
