/**
 * Requests on a fixed schedule, whatever became of those before: a slow answer delays no later request, and every
 * time is taken from when its request was due, not from when it could be sent (no coordinated omission).
 */
import { systemClock } from '#core'

export interface Schedule {
  readonly perSecond: number
  readonly seconds: number
  /** Seconds before them whose requests are made, and not measured. */
  readonly warmupSeconds: number
}

/**
 * Calls `send` for every request as it becomes due. `index` counts from 0, `dueAt` is on `performance.now`'s clock.
 * Resolves with the results of the requests after the warm-up; rejects with the first failure.
 */
export async function openLoop<T>(
  { perSecond, seconds, warmupSeconds }: Schedule,
  send: (index: number, dueAt: number) => Promise<T>,
): Promise<T[]> {
  const total = perSecond * (warmupSeconds + seconds)
  const intervalMs = 1000 / perSecond
  const startedAt = performance.now()
  const results: Promise<T>[] = []
  let failure: unknown
  for (let index = 0; index < total;) {
    for (; index < total && startedAt + index * intervalMs <= performance.now(); index++) {
      const result = send(index, startedAt + index * intervalMs)
      result.catch((error: unknown) => (failure ??= error))
      results.push(result)
    }
    if (failure !== undefined) throw failure
    await systemClock.sleep(1)
  }
  return (await Promise.all(results)).slice(perSecond * warmupSeconds)
}
