/** Lets one loop sleep until something happens. A wake before the sleep is not lost. */
export class Signal {
  #awake = false
  #resolve: (() => void) | undefined

  wake(): void {
    this.#awake = true
    this.#resolve?.()
    this.#resolve = undefined
  }

  /** Resolves at the next wake, or at once when one came since the last `wait`. */
  async wait(): Promise<void> {
    if (!this.#awake) await new Promise<void>((resolve) => (this.#resolve = resolve))
    this.#awake = false
  }
}
