/** The memory that all sets of a task share. */
export interface MemoryHolder {
  /** Memory taken, bytes. */
  readonly byteLength: number
  /** Set by its owner on each use; cleared here when memory is short. */
  used: boolean
  /**
   * Gives memory back: all of it, or a part. False when it cannot, because it is in use or has nothing left.
   * @param inUse true: the holder is needed right now and must stay usable
   */
  release(inUse: boolean): boolean
}

export class SetMemory {
  readonly #bytesMax: number
  /** In turn; who was used since the last turn gets another one (the clock algorithm: recency without ordering). */
  readonly #holders = new Map<MemoryHolder, number>()
  #bytes = 0

  /** @param bytesMax what is kept in memory over all sets; one small set that is in use may exceed it */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get byteLength(): number {
    return this.#bytes
  }

  /** Notes the memory that a holder takes now. */
  account(holder: MemoryHolder): void {
    const bytes = holder.byteLength
    this.#bytes += bytes - (this.#holders.get(holder) ?? 0)
    this.#holders.set(holder, bytes)
  }

  forget(holder: MemoryHolder): void {
    this.#bytes -= this.#holders.get(holder) ?? 0
    this.#holders.delete(holder)
  }

  /** Makes holders release memory, those not used lately first, until the rest is within the limit. */
  shrink(inUse?: MemoryHolder): void {
    // Two turns: the first clears marks of use, the second finds who can release; more would find no more.
    let turnsLeft = 2 * this.#holders.size
    while (this.#bytes > this.#bytesMax && turnsLeft-- > 0) {
      const [holder] = this.#holders.keys()
      if (holder === undefined) return
      if (!holder.used) {
        while (
          this.#bytes > this.#bytesMax &&
          this.#holders.has(holder) &&
          holder.release(holder === inUse)
        ) {
          if (this.#holders.has(holder)) this.account(holder)
        }
      }
      const bytes = this.#holders.get(holder)
      if (bytes === undefined) continue
      holder.used = false
      this.#holders.delete(holder)
      this.#holders.set(holder, bytes)
    }
  }
}
