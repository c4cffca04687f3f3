/** Wall-clock time behind a port, so that tests and the simulator decide what time it is. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number
  /** Resolves after `ms` milliseconds, or at once (without error) when `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Resolves after pending I/O has had its turn. */
  yield(): Promise<void>
}

/**
 * Milliseconds since an unspecified moment, by a clock that nobody sets: for time-outs of real I/O, which must not
 * follow the wall clock. Only differences mean anything, and only within one thread.
 */
export function monotonicNow(): number {
  return performance.now()
}

export const systemClock: Clock = {
  now: () => Date.now(),
  yield: () => new Promise((resolve) => setImmediate(resolve)),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const done = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      signal?.addEventListener('abort', done, { once: true })
    }),
}
