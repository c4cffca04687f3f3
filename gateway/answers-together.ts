/**
 * Answers of one turn of the event loop, sent at its end one right after the other.
 *
 * A write wakes the client that waits for it. Written as they are made, with computing in between, almost every answer
 * finds its client asleep again, and waking costs more than all of our own work on a refusal: written together the
 * first answer wakes it for all. Measured with 64 connections of one client: 29,000 refusals a second apart, 43,000
 * together. An answer that is alone in its turn waits for nobody, and so many are enough: all that are held back stay
 * in memory with their requests, where the garbage collector copies them.
 */
import type { Clock } from '#core'

const heldMax = 32

export class AnswersTogether {
  readonly #clock: Clock
  /** To let those go who wait for the end of this turn. */
  #held: (() => void)[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves, for all who asked during this turn of the event loop, at its end, or once there are enough of them. */
  endOfTurn(): Promise<void> {
    return new Promise((resolve) => {
      this.#held.push(resolve)
      if (this.#held.length === heldMax) this.#release()
      else if (this.#held.length === 1) void this.#clock.yield().finally(() => this.#release())
    })
  }

  #release(): void {
    const held = this.#held
    this.#held = []
    for (const release of held) release()
  }
}
