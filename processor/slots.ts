/** Lets only so many of something happen at a time; the others wait in the order they came. */
export class Slots {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(count: number) {
    this.#free = count
  }

  /** Waits for a slot and holds it while `action` runs; who is given up meanwhile runs without one, to find that out. */
  async hold<T>(signal: AbortSignal, action: () => Promise<T>): Promise<T> {
    if (!(await this.#take(signal))) return action()
    try {
      return await action()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }

  /** False when `signal` aborts first. */
  async #take(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false
    if (this.#free > 0) {
      this.#free--
      return true
    }
    return new Promise((resolve) => {
      const given = (): void => {
        signal.removeEventListener('abort', gaveUp)
        resolve(true)
      }
      const gaveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(given), 1)
        resolve(false)
      }
      this.#waiting.push(given)
      signal.addEventListener('abort', gaveUp, { once: true })
    })
  }
}
