/**
 * Virtual time: everything that waits (a timer, a message, a disk) is an event in one queue, and the order of the
 * queue is the only source of concurrency. The same events in give the same run, whatever the machine does.
 *
 * Between two events all promise continuations run to their end: those are deterministic, given the same code.
 */
import type { Clock } from '#core'

/** Something that can stop for ever or for a while: its events wait or are dropped. */
export class Actor {
  readonly name: string
  /** False once it is killed: nothing of it ever runs again. */
  alive = true
  /** Virtual milliseconds; until then its events wait. */
  pausedUntil = 0

  constructor(name: string) {
    this.name = name
  }
}

export interface SimulatedEvent {
  /** Virtual milliseconds since the epoch, with fractions. */
  at: number
  order: number
  readonly actor: Actor | undefined
  readonly label: string
  readonly run: () => void
  cancelled: boolean
}

export type StopReason = 'done' | 'idle' | 'late'

export class Scheduler {
  /** A binary heap by time, then by the order of scheduling. */
  readonly #queue: SimulatedEvent[] = []
  #now: number
  #order = 0
  #executed = 0
  /** Looks at every event before it runs: it may keep it from running, or have it come again (its actor was paused). */
  intercept: ((event: SimulatedEvent) => 'run' | 'drop' | 'again') | undefined
  /** Milliseconds added to each sleep and yield: what makes timers of different actors meet in another order. */
  jitter: () => number = () => 0

  constructor(startMs = 1_700_000_000_000) {
    this.#now = startMs
  }

  /** Virtual milliseconds since the epoch, with fractions. */
  get now(): number {
    return this.#now
  }

  get executed(): number {
    return this.#executed
  }

  schedule(delayMs: number, actor: Actor | undefined, label: string, run: () => void): SimulatedEvent {
    const event = { at: this.#now + delayMs, order: this.#order++, actor, label, run, cancelled: false }
    this.#push(event)
    return event
  }

  /** The clock that an actor sees; `skewMs` is how far its machine's clock is off. */
  clock(actor: Actor, skewMs = 0): Clock {
    return {
      now: () => Math.floor(this.#now) + skewMs,
      yield: () => new Promise((resolve) => void this.schedule(this.jitter(), actor, 'yield', resolve)),
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          if (signal?.aborted) return resolve()
          const done = (): void => {
            event.cancelled = true
            signal?.removeEventListener('abort', done)
            resolve()
          }
          const event = this.schedule(ms + this.jitter(), actor, 'sleep', done)
          signal?.addEventListener('abort', done, { once: true })
        }),
    }
  }

  /** Lets time pass in one leap; what was due meanwhile comes late. */
  advance(ms: number): void {
    this.#now += ms
  }

  /** Runs the next event; false when there is none. */
  step(): boolean {
    for (;;) {
      const event = this.#pop()
      if (event === undefined) return false
      if (event.cancelled || event.actor?.alive === false) continue
      this.#now = Math.max(this.#now, event.at)
      const pausedUntil = event.actor?.pausedUntil ?? 0
      if (pausedUntil > this.#now) {
        // Order among the events that wait is kept, as `order` is.
        event.at = pausedUntil
        this.#push(event)
        continue
      }
      const fate = this.intercept?.(event) ?? 'run'
      if (fate === 'again') this.#push(event)
      if (fate !== 'run') continue
      this.#executed++
      event.run()
      return true
    }
  }

  /** Runs events, each with all that follows from it, until `done`, or until virtual time is past `deadlineMs`. */
  run(done: () => boolean, deadlineMs: number): Promise<StopReason> {
    return new Promise((resolve) => {
      const turn = (): void => {
        if (done()) resolve('done')
        else if (this.#now > deadlineMs) resolve('late')
        else if (this.step()) setImmediate(turn)
        else resolve('idle')
      }
      setImmediate(turn)
    })
  }

  /** Runs events as they come, for callers that wait on promises in the usual way; the answer stops it. */
  pump(): () => void {
    let stopped = false
    const turn = (): void => {
      if (stopped) return
      this.step()
      setImmediate(turn)
    }
    setImmediate(turn)
    return () => {
      stopped = true
    }
  }

  #push(event: SimulatedEvent): void {
    const queue = this.#queue
    let at = queue.length
    queue.push(event)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = queue[parent] as SimulatedEvent
      if (!isBefore(event, above)) break
      queue[at] = above
      at = parent
    }
    queue[at] = event
  }

  #pop(): SimulatedEvent | undefined {
    const queue = this.#queue
    const first = queue[0]
    const last = queue.pop()
    if (first === undefined || last === undefined || queue.length === 0) return first
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= queue.length) break
      const right = queue[child + 1]
      if (right !== undefined && isBefore(right, queue[child] as SimulatedEvent)) child++
      const below = queue[child] as SimulatedEvent
      if (!isBefore(below, last)) break
      queue[at] = below
      at = child
    }
    queue[at] = last
    return first
  }
}

function isBefore(a: SimulatedEvent, b: SimulatedEvent): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
