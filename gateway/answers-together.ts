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

interface Turn {
  readonly ended: Promise<void>
  readonly end: () => void
  answers: number
}

export class AnswersTogether {
  readonly #clock: Clock
  #turn: Turn | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves, for all who asked during this turn of the event loop, at its end, or once there are enough of them. */
  endOfTurn(): Promise<void> {
    const turn = (this.#turn ??= this.#begin())
    turn.answers++
    if (turn.answers === heldMax) this.#end(turn)
    return turn.ended
  }

  #begin(): Turn {
    const { promise, resolve } = Promise.withResolvers<void>()
    const turn = { ended: promise, end: resolve, answers: 0 }
    void this.#clock.yield().finally(() => this.#end(turn))
    return turn
  }

  #end(turn: Turn): void {
    if (this.#turn === turn) this.#turn = undefined
    turn.end()
  }
}
