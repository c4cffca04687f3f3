import { systemClock } from '#core'
import type { Clock } from '#core'

/** Real time that a test can move on; pauses stay real and short. */
export class MovableClock implements Clock {
  #ahead = 0

  now(): number {
    return systemClock.now() + this.#ahead
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return systemClock.sleep(ms, signal)
  }

  yield(): Promise<void> {
    return systemClock.yield()
  }

  advance(ms: number): void {
    this.#ahead += ms
  }
}
