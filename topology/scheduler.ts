/** `context.schedule` of one processor: checks what is asked and when, and keeps it in the task's timers. */
import { MillraceError } from '#core'
import { isNodeName } from './node-name.ts'
import type { Cancellable, Punctuator } from './processor.ts'
import type { Timer, Timers } from './timers.ts'

/** What the processor is doing. */
export type Phase = 'idle' | 'init' | 'resume' | 'record'

export interface SchedulerOptions {
  readonly processor: string
  readonly order: number
  /** Whether the processor declares `wallClock: true`. */
  readonly allowsWallClock: boolean
  readonly timers: Timers
  readonly wallClock: () => number
  readonly phase: () => Phase
  /** Whether the processor can set its timers again. Asked after `init` only. */
  readonly resumes: () => boolean
}

export class Scheduler {
  readonly #options: SchedulerOptions

  constructor(options: SchedulerOptions) {
    this.#options = options
  }

  schedule(punctuator: Punctuator): Cancellable {
    const { processor, order, timers, wallClock } = this.#options
    this.#check(punctuator)
    if (timers.find(processor, punctuator.name) !== undefined) {
      throw this.#error(
        'TOPOLOGY_DUPLICATE_TIMER',
        `has a punctuator "${punctuator.name}" already. Cancel it first, or choose another name.`,
      )
    }
    const since = punctuator.by === 'wall-clock' ? wallClock() : -1
    const timer: Timer = { punctuator, processor, order, since }
    timers.add(timer)
    return { cancel: () => this.#cancel(timer) }
  }

  #cancel(timer: Timer): void {
    if (!this.#options.timers.has(timer)) return
    this.#checkPhase(timer.punctuator)
    this.#options.timers.cancel(timer)
  }

  #check(punctuator: Punctuator): void {
    const { name, every, by } = punctuator
    if (!isNodeName(name) || !Number.isSafeInteger(every) || every < 1) {
      throw this.#error(
        'TOPOLOGY_INVALID_TIMER',
        `scheduled "${name}" every ${every} ms. Name it by 1 to 100 of A-Z a-z 0-9 . _ - and take whole milliseconds from 1 on.`,
      )
    }
    if (by === 'wall-clock' && !this.#options.allowsWallClock) {
      throw this.#error(
        'TOPOLOGY_WALL_CLOCK_UNDECLARED',
        `scheduled "${name}" by wall clock, so a replay gives other outputs. Declare wallClock: true, or use stream-time.`,
      )
    }
    this.#checkPhase(punctuator)
  }

  #checkPhase({ name, by }: Punctuator): void {
    const phase = this.#options.phase()
    if (phase === 'idle') {
      throw this.#error(
        'TOPOLOGY_SCHEDULE_OUTSIDE_PROCESS',
        `scheduled or cancelled "${name}" while it had no turn. Do it inside init, process, punctuate or resume, never after an await.`,
      )
    }
    if (phase === 'record' && by === 'stream-time' && !this.#options.resumes()) {
      throw this.#error(
        'TOPOLOGY_TIMER_NOT_RESUMABLE',
        `scheduled or cancelled "${name}" outside of init, and timers are not stored: a restart would change the outputs. Keep in a store what is pending and set it again in resume, or schedule in init.`,
      )
    }
  }

  #error(code: string, what: string): MillraceError {
    return new MillraceError(code, `Processor "${this.#options.processor}" ${what}`, {
      domain: 'user',
      reaction: 'stop',
    })
  }
}
