/**
 * Answers of one turn of the event loop, sent at its end one right after the other.
 *
 * A write wakes the client that waits for it. Written as they are made, with computing in between, almost every answer
 * finds its client asleep again, and waking costs more than all of our own work on a refusal: written together the
 * first answer wakes it for all. Measured with 64 connections of one client: 29,000 refusals a second apart, 43,000
 * together. An answer that is alone in its turn waits for nobody.
 */
import type { Clock } from '#core'

export class AnswersTogether {
  readonly #clock: Clock
  #turn: Promise<void> | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves, for everybody who asked during this turn of the event loop, at its end. */
  endOfTurn(): Promise<void> {
    return (this.#turn ??= this.#clock.yield().finally(() => {
      this.#turn = undefined
    }))
  }
}
