import { isMillraceError } from '#core'
import type { Clock, Logger } from '#core'

export const retryWaitMs = 100

/** Tries as often as it takes while the log says that trying again helps; undefined when `signal` ends it. */
export async function untilReachable<T>(
  what: string,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  signal: AbortSignal,
  action: () => Promise<T>,
): Promise<T | undefined> {
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      return await action()
    } catch (error) {
      if (!isMillraceError(error) || error.reaction !== 'retry') throw error
      if (attempt === 1) logger.warn({ what, error }, 'not possible yet, trying again')
      await clock.sleep(retryWaitMs, signal)
    }
  }
  return undefined
}
