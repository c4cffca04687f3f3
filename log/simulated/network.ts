/** Requests to the broker: each takes its time there and back, and either way may fail. */
import { logError } from '../index.ts'
import type { Actor, Scheduler } from './scheduler.ts'

export interface Call {
  readonly name: string
  readonly topic?: string
  readonly partition?: number
}

/**
 * `request`: never arrives. `response`: it took effect, but nobody is told. `late`: it arrives long after the caller
 * has given it up.
 */
export type Loss = 'request' | 'response' | 'late'

/** How the world around the log behaves. */
export interface Weather {
  /** Milliseconds of one way. */
  delayMs(call: Call): number
  loss(call: Call, actor: Actor): Loss | undefined
  /** Milliseconds from a write to the fsync that covers it. */
  fsyncMs(): number
}

export const calmWeather: Weather = { delayMs: () => 0.1, loss: () => undefined, fsyncMs: () => 0.1 }

/** A caller gives a request up after it, and a late one takes up to five times as long; milliseconds. */
const requestTimeoutMs = 300
const attemptsMax = 4
const backoffMs = 50

/** What handlers fail with when the broker goes down under them: there is no response then. */
export const brokerDown: Error = new Error('the broker went down')

export class Network {
  readonly scheduler: Scheduler
  weather: Weather
  /** False while the broker is down: requests then vanish. */
  up = true
  /** Grows with every time the broker goes down. */
  life = 0

  constructor(scheduler: Scheduler, weather: Weather) {
    this.scheduler = scheduler
    this.weather = weather
  }

  /**
   * Sends a request once. Errors: what the handler throws; LOG_UNAVAILABLE when no answer came, whether it took
   * effect or not.
   */
  call<T>(actor: Actor, call: Call, handle: () => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const loss = this.weather.loss(call, actor)
      const giveUp = (): void => {
        this.scheduler.schedule(requestTimeoutMs, actor, `${call.name}: no answer`, () =>
          reject(noAnswer(call)),
        )
      }
      if (loss !== undefined) giveUp()
      if (loss === 'request') return
      const answer = (settle: () => void): void => {
        if (loss !== undefined) return
        this.scheduler.schedule(this.weather.delayMs(call), actor, `${call.name}: answered`, settle)
      }
      const fail = (error: unknown): void => {
        if (error !== brokerDown) answer(() => reject(error))
        else if (loss === undefined) giveUp()
      }
      const late = loss === 'late' ? requestTimeoutMs * (1 + (this.weather.delayMs(call) % 4)) : 0
      this.scheduler.schedule(this.weather.delayMs(call) + late, undefined, call.name, () => {
        if (!this.up) return fail(brokerDown)
        try {
          const reply = handle()
          if (reply instanceof Promise) reply.then((value) => answer(() => resolve(value)), fail)
          else answer(() => resolve(reply))
        } catch (error) {
          fail(error)
        }
      })
    })
  }

  /** Sends a request again while no answer comes: for requests that may arrive more than once without harm. */
  async retrying<T>(actor: Actor, call: Call, handle: () => T | Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.call(actor, call, handle)
      } catch (error) {
        if (!isNoAnswer(error) || attempt === attemptsMax) throw error
      }
      await this.scheduler.clock(actor).sleep(backoffMs)
    }
  }
}

const unanswered = new WeakSet<Error>()

function noAnswer({ name }: Call): Error {
  const error = logError('LOG_UNAVAILABLE', `The log did not answer (${name}). Try again.`)
  unanswered.add(error)
  return error
}

/** True for a request whose fate is unknown. */
export function isNoAnswer(error: unknown): boolean {
  return error instanceof Error && unanswered.has(error)
}
