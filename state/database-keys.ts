import type { RecordCursor } from '#log'

/** Up to this size keys are copied byte by byte, which is faster than a native call, and their views are kept. */
const shortMax = 64

/**
 * Keys of the local database: the store's id and the changelog key. Each is written over the one before, for batches
 * copy at once: a new view for every record would cost as much as its put does.
 */
export class DatabaseKeys {
  readonly #scratch = Buffer.allocUnsafe(shortMax)
  /** Of the short ones, by size. */
  readonly #views: readonly Buffer[] = Array.from({ length: shortMax + 1 }, (_, size) =>
    this.#scratch.subarray(0, size),
  )
  #long = this.#scratch

  /** Of the record that the cursor is at. A view, valid until the next call. */
  of(storeId: number, { buffer, keyStart, keyEnd }: RecordCursor): Buffer {
    const size = 1 + keyEnd - keyStart
    if (size > shortMax) return this.#copied(storeId, buffer, keyStart, keyEnd)
    const key = this.#views[size] as Buffer
    key[0] = storeId
    for (let at = 1, from = keyStart; from < keyEnd; from++) key[at++] = buffer[from] as number
    return key
  }

  #copied(storeId: number, buffer: Buffer, keyStart: number, keyEnd: number): Buffer {
    const size = 1 + keyEnd - keyStart
    if (size > this.#long.length) this.#long = Buffer.allocUnsafe(size * 2)
    this.#long[0] = storeId
    buffer.copy(this.#long, 1, keyStart, keyEnd)
    return this.#long.subarray(0, size)
  }
}
