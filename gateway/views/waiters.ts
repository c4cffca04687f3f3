/**
 * Requests that wait for a decision, by the position of their command. Bounded; deadlines are kept in slots of 100 ms
 * that one sleeper walks, because a timer a request costs more than the rest of a wait.
 */
import type { Clock } from '#core'
import type { CouponResult } from '#domain/coupon'

const slotMs = 100

interface Waiter {
  readonly partition: number
  readonly offset: number
  /** The first slot whose end is not before the deadline. */
  readonly slot: number
  readonly resolve: (result: CouponResult | undefined) => void
}

export class Waiters {
  readonly #clock: Clock
  readonly #max: number
  readonly #byPartition = new Map<number, Map<number, Waiter[]>>()
  readonly #bySlot = new Map<number, Set<Waiter>>()
  readonly #closing = new AbortController()
  #count = 0
  #ticking = false
  #closed = false

  constructor(clock: Clock, max: number) {
    this.#clock = clock
    this.#max = max
  }

  get count(): number {
    return this.#count
  }

  get full(): boolean {
    return this.#count >= this.#max
  }

  /** The result, or undefined when `ms` passed, waiters are full, or the gateway closes. */
  wait(partition: number, offset: number, ms: number): Promise<CouponResult | undefined> {
    if (this.full || this.#closed || ms <= 0) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const slot = Math.ceil((this.#clock.now() + ms) / slotMs)
      const waiter: Waiter = { partition, offset, slot, resolve }
      this.#add(waiter)
      if (!this.#ticking) {
        this.#ticking = true
        void this.#tick()
      }
    })
  }

  /** Whether anybody waits in this partition; cheap, so that walking a batch need not look. */
  any(partition: number): boolean {
    return this.#byPartition.has(partition)
  }

  has(partition: number, offset: number): boolean {
    return this.#byPartition.get(partition)?.has(offset) === true
  }

  resolve(result: CouponResult): void {
    const waiting = this.#byPartition.get(result.partition)?.get(result.offset)
    if (waiting === undefined) return
    // Copied: answering takes a waiter out of the list.
    for (const waiter of waiting.slice()) this.#answer(waiter, result)
  }

  /** Answers everybody with what is known: nothing yet. Later waits end at once. */
  close(): void {
    this.#closed = true
    this.#closing.abort()
    for (const waiters of this.#bySlot.values()) for (const waiter of waiters) this.#answer(waiter, undefined)
  }

  #add(waiter: Waiter): void {
    let offsets = this.#byPartition.get(waiter.partition)
    if (offsets === undefined) this.#byPartition.set(waiter.partition, (offsets = new Map()))
    const waiting = offsets.get(waiter.offset)
    if (waiting === undefined) offsets.set(waiter.offset, [waiter])
    else waiting.push(waiter)
    const slot = this.#bySlot.get(waiter.slot)
    if (slot === undefined) this.#bySlot.set(waiter.slot, new Set([waiter]))
    else slot.add(waiter)
    this.#count++
  }

  #answer(waiter: Waiter, result: CouponResult | undefined): void {
    const offsets = this.#byPartition.get(waiter.partition)
    const rest = offsets?.get(waiter.offset)?.filter((other) => other !== waiter) ?? []
    if (rest.length > 0) offsets?.set(waiter.offset, rest)
    else offsets?.delete(waiter.offset)
    if (offsets?.size === 0) this.#byPartition.delete(waiter.partition)
    const slot = this.#bySlot.get(waiter.slot)
    slot?.delete(waiter)
    if (slot?.size === 0) this.#bySlot.delete(waiter.slot)
    this.#count--
    waiter.resolve(result)
  }

  async #tick(): Promise<void> {
    while (this.#count > 0 && !this.#closed) {
      await this.#clock.sleep(slotMs, this.#closing.signal)
      const now = Math.floor(this.#clock.now() / slotMs)
      for (const [slot, waiters] of this.#bySlot) {
        if (slot <= now) for (const waiter of waiters) this.#answer(waiter, undefined)
      }
    }
    this.#ticking = false
  }
}
