/**
 * "Before 404 unknown-coupon a gateway reads coupon-status to the end it had when the request came": one look-up in
 * flight serves all who came before it began, the next one those who came since, and an answer is remembered for a
 * moment, so a flood of unknown ids costs nothing.
 */
import type { Clock } from '#core'

const rememberedMs = 250
const rememberedMax = 10_000

export class StatusLookUp {
  readonly #readToEnd: () => Promise<void>
  readonly #clock: Clock
  readonly #unknownUntil = new Map<string, number>()
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined

  /** @param readToEnd resolves when the gate has what the topic had at the time of the call */
  constructor(readToEnd: () => Promise<void>, clock: Clock) {
    this.#readToEnd = readToEnd
    this.#clock = clock
  }

  /** Resolves when the gate may be asked for the coupon. Errors: those of the log. */
  async before(couponId: string): Promise<void> {
    if ((this.#unknownUntil.get(couponId) ?? 0) > this.#clock.now()) return
    await this.#read()
    if (this.#unknownUntil.size >= rememberedMax) this.#unknownUntil.clear()
    this.#unknownUntil.set(couponId, this.#clock.now() + rememberedMs)
  }

  #read(): Promise<void> {
    if (this.#running === undefined) return this.#begin()
    // The one in flight may have asked for the end before this request came.
    this.#next ??= this.#running.then(
      () => this.#begin(),
      () => this.#begin(),
    )
    return this.#next
  }

  #begin(): Promise<void> {
    this.#next = undefined
    const reading = this.#readToEnd().finally(() => {
      this.#running = undefined
    })
    this.#running = reading
    return reading
  }
}
