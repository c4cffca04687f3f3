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
  /** The partition tail of each cached batch, oldest first, and what is counted for the batch. */
  #order: PartitionTail[] = []
  #counted: number[] = []
  #head = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  add(tail: PartitionTail, batch: Buffer): void {
    const counted = batch.length + overheadBytes
    tail.push(batch)
    this.#order.push(tail)
    this.#counted.push(counted)
    this.#bytes += counted
    while (this.#bytes > this.#bytesMax && this.#head < this.#order.length) {
      const tailOfOldest = this.#order[this.#head] as PartitionTail
      tailOfOldest.shift()
      this.#bytes -= this.#counted[this.#head++] as number
    }
    if (this.#head > 1024 && this.#head * 2 > this.#order.length) {
      this.#order = this.#order.slice(this.#head)
      this.#counted = this.#counted.slice(this.#head)
      this.#head = 0
    }
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

  /** Drops the oldest batch, unless `clear` was faster. */
  shift(): void {
    if (this.#ghosts > 0) {
      this.#ghosts--
      return
    }
    const batch = this.#batches[this.#head] as Buffer
    this.startOffset = endOffsetOf(batch)
    this.#batches[this.#head++] = undefined
    if (this.#head * 2 >= this.#batches.length) {
      this.#batches = this.#batches.slice(this.#head)
      this.#head = 0
    }
  }

  /**
   * Drops everything: the stored batches changed, or the partition is deleted. The cache counts them until their turn
   * comes all the same: the batches of one request share their memory, which is free only without the last of them.
   */
  clear(endOffset: number): void {
    this.#ghosts += this.#batches.length - this.#head
    this.#batches = []
    this.#head = 0
    this.startOffset = endOffset
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
