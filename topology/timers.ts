/**
 * The punctuators that one task has scheduled, and which of them are due.
 *
 * Instants are the multiples of `every` since the epoch, so what is due follows from two times alone: of all instants
 * in (after, until] the last one counts, once. Nothing else is kept of a timer, which is why a replay that passes
 * through the same times fires the same punctuators.
 */
import { undoAll } from './memory/undo-log.ts'
import type { UndoLog } from './memory/undo-log.ts'
import type { PunctuationTime, Punctuator } from './processor.ts'
import { compareText } from './compare-text.ts'

export interface Timer {
  readonly punctuator: Punctuator
  readonly processor: string
  /** The processor's place in its subtopology: decides between timers due at the same instant. */
  readonly order: number
  /** Wall-clock time of scheduling: no earlier instant fires. -1 for stream time, where `after` says it already. */
  readonly since: number
}

/** A punctuator to call, and the instant it is called for. */
export interface DuePunctuator {
  readonly timer: Timer
  /** Milliseconds since the epoch, a multiple of the punctuator's `every`. */
  readonly timestamp: number
}

const none: readonly DuePunctuator[] = []

export class Timers {
  #active = new Set<Timer>()
  /** As `init` left them. */
  #initial: readonly Timer[] = []
  readonly #undo: UndoLog = []

  has(timer: Timer): boolean {
    return this.#active.has(timer)
  }

  find(processor: string, name: string): Timer | undefined {
    for (const timer of this.#active) {
      if (timer.processor === processor && timer.punctuator.name === name) return timer
    }
    return undefined
  }

  add(timer: Timer): void {
    this.#active.add(timer)
    this.#undo.push(() => this.#active.delete(timer))
  }

  /** Does nothing for a timer that is not active. */
  cancel(timer: Timer): void {
    if (this.#active.delete(timer)) this.#undo.push(() => this.#active.add(timer))
  }

  /** What is scheduled now is what `reset` goes back to. */
  keepInitial(): void {
    this.#initial = [...this.#active]
    this.release()
  }

  reset(): void {
    this.#active = new Set(this.#initial)
    this.release()
  }

  /** Accepts what was scheduled and cancelled since the last release or rollback. */
  release(): void {
    if (this.#undo.length > 0) this.#undo.length = 0
  }

  rollback(): void {
    undoAll(this.#undo)
  }

  /** In the order to call them: by instant, then by processor in the order they were added, then by name. */
  due(by: PunctuationTime, after: number, until: number): readonly DuePunctuator[] {
    if (this.#active.size === 0 || after < 0) return none
    const due: DuePunctuator[] = []
    for (const timer of this.#active) {
      if (timer.punctuator.by !== by) continue
      const { every } = timer.punctuator
      const timestamp = Math.floor(until / every) * every
      if (timestamp > after && timestamp > timer.since) due.push({ timer, timestamp })
    }
    return due.length > 1 ? due.toSorted(compareDue) : due
  }

  /** The first instant after `after` of any wall-clock punctuator. */
  nextWallClock(after: number): number | undefined {
    let next: number | undefined
    for (const { punctuator, since } of this.#active) {
      if (punctuator.by !== 'wall-clock') continue
      const { every } = punctuator
      const instant = (Math.floor(Math.max(after, since) / every) + 1) * every
      if (next === undefined || instant < next) next = instant
    }
    return next
  }
}

function compareDue(one: DuePunctuator, other: DuePunctuator): number {
  const [a, b] = [one.timer, other.timer]
  return (
    one.timestamp - other.timestamp || a.order - b.order || compareText(a.punctuator.name, b.punctuator.name)
  )
}
