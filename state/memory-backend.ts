import type { StateBackend, StateBatch, StateRange } from './backend.ts'

/** Keeps everything in a Map; scans sort. For small, non-persistent stores and for tests. */
export class MemoryBackend implements StateBackend {
  /** Keys as latin1, whose order is the bytewise one. */
  readonly #entries = new Map<string, Buffer>()

  getMany(keys: readonly Uint8Array[]): (Buffer | undefined)[] {
    return keys.map((key) => this.#entries.get(latin1(key)))
  }

  write(fill: (batch: StateBatch) => void): void {
    // Collected first, so that a `fill` that throws leaves nothing behind.
    const writes: [key: string, value: Buffer | undefined][] = []
    fill({
      put: (key, value) => void writes.push([latin1(key), Buffer.from(value)]),
      delete: (key) => void writes.push([latin1(key), undefined]),
    })
    for (const [key, value] of writes) {
      if (value === undefined) this.#entries.delete(key)
      else this.#entries.set(key, value)
    }
  }

  deleteRange(range: StateRange): void {
    for (const [key] of this.#between(range)) this.#entries.delete(key)
  }

  *scan(range: StateRange): Generator<[Buffer, Buffer]> {
    const found = this.#between(range).toSorted(([a], [b]) => (a < b ? -1 : 1))
    for (const [key, value] of found) yield [Buffer.from(key, 'latin1'), value]
  }

  async close(): Promise<void> {
    this.#entries.clear()
  }

  #between(range: StateRange): [key: string, value: Buffer][] {
    const from = latin1(range.gte)
    const to = latin1(range.lt)
    return [...this.#entries].filter(([key]) => key >= from && key < to)
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
