/**
 * The iterators that are open over a task's state.
 *
 * An iterator lives inside its transaction. When the transaction ends, or the state moves on under it, what is still
 * open is closed: so one that was abandoned half-way holds no database cursor for long, and one that is asked again
 * says so instead of touching a database that may be closed.
 */
import { MillraceError } from '#core'

export class OpenScans {
  readonly #open = new Set<Scan<unknown>>()

  /** The same steps, until `closeAll`. */
  guard<T>(steps: Generator<T>): IterableIterator<T> {
    const scan: Scan<T> = new Scan(steps, () => this.#open.delete(scan))
    this.#open.add(scan)
    return scan
  }

  get count(): number {
    return this.#open.size
  }

  closeAll(): void {
    for (const scan of this.#open) scan.expire()
    this.#open.clear()
  }
}

class Scan<T> implements IterableIterator<T> {
  readonly #steps: Generator<T>
  readonly #finished: () => unknown
  #expired = false

  constructor(steps: Generator<T>, finished: () => unknown) {
    this.#steps = steps
    this.#finished = finished
  }

  /** Errors: STATE_ITERATOR_CLOSED. */
  next(): IteratorResult<T> {
    if (this.#expired) {
      throw new MillraceError(
        'STATE_ITERATOR_CLOSED',
        'The transaction in which this iterator was opened has ended, or its store was closed. ' +
          'Use an iterator within the record that opened it, or open a new one.',
        { domain: 'user', reaction: 'stop' },
      )
    }
    const step = this.#steps.next()
    if (step.done) this.#finished()
    return step
  }

  return(): IteratorResult<T> {
    this.#finished()
    this.#steps.return(undefined)
    return { done: true, value: undefined }
  }

  expire(): void {
    this.#expired = true
    this.#steps.return(undefined)
  }

  [Symbol.iterator](): this {
    return this
  }
}
