import { baseOffsetOf, endOffsetOf } from '../index.ts'

/** What a cached batch costs beside its bytes: its Buffer and its place in the queues. */
const overheadBytes = 256

/**
 * The newest batches of all partitions, so that followers never touch RocksDB. Bounded in bytes; the batch cached
 * first is dropped first, whatever partition it is of.
 */
export class TailCache {
  readonly #bytesMax: number
  #bytes = 0
  /** The partition tail of each cached batch, oldest first. */
  #order: PartitionTail[] = []
  #head = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  add(tail: PartitionTail, batch: Buffer): void {
    tail.push(batch)
    this.#order.push(tail)
    this.#bytes += batch.length + overheadBytes
    while (this.#bytes > this.#bytesMax && this.#head < this.#order.length) {
      const freed = (this.#order[this.#head++] as PartitionTail).shift()
      if (freed !== undefined) this.#bytes -= freed + overheadBytes
    }
    if (this.#head > 1024 && this.#head * 2 > this.#order.length) {
      this.#order = this.#order.slice(this.#head)
      this.#head = 0
    }
  }

  /** Drops all of a partition: its stored batches changed, or it is deleted. */
  clear(tail: PartitionTail, endOffset: number): void {
    for (const size of tail.clear(endOffset)) this.#bytes -= size + overheadBytes
  }
}

/** The cached end of one partition: every batch from `startOffset` to the high watermark. */
export class PartitionTail {
  /** Undefined below `#head`: what is dropped must not stay in memory until its places are given up. */
  #batches: (Buffer | undefined)[] = []
  #head = 0
  /** Batches that were cleared, while the cache still has their places in its order. */
  #ghosts = 0
  /** First offset that is cached; the high watermark when nothing is. */
  startOffset: number

  constructor(startOffset: number) {
    this.startOffset = startOffset
  }

  push(batch: Buffer): void {
    this.#batches.push(batch)
  }

  /** Drops the oldest batch; its size, or undefined when `clear` was faster. */
  shift(): number | undefined {
    if (this.#ghosts > 0) {
      this.#ghosts--
      return undefined
    }
    const batch = this.#batches[this.#head] as Buffer
    this.startOffset = endOffsetOf(batch)
    this.#batches[this.#head++] = undefined
    if (this.#head * 2 >= this.#batches.length) {
      this.#batches = this.#batches.slice(this.#head)
      this.#head = 0
    }
    return batch.length
  }

  clear(endOffset: number): number[] {
    const sizes = this.#batches.slice(this.#head).map((batch) => (batch as Buffer).length)
    this.#ghosts += sizes.length
    this.#batches = []
    this.#head = 0
    this.startOffset = endOffset
    return sizes
  }

  /** Cached batches from the one that holds `offset` on (which is not below `startOffset`), up to `bytesMax`. */
  read(offset: number, bytesMax: number): Buffer[] {
    const batches = this.#batches
    let low = this.#head
    let high = batches.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (baseOffsetOf(batches[middle] as Buffer) <= offset) low = middle + 1
      else high = middle
    }
    const found: Buffer[] = []
    let bytes = 0
    for (let at = Math.max(low - 1, this.#head); at < batches.length; at++) {
      const batch = batches[at] as Buffer
      bytes += batch.length
      if (found.length > 0 && bytes > bytesMax) break
      found.push(batch)
    }
    return found
  }
}
