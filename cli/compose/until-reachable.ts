import { isMillraceError } from '#core'
import type { Clock, Logger } from '#core'
import { logError } from '#log'

export interface Patience {
  readonly clock: Clock
  readonly logger: Logger
  /** Ends the waiting. */
  readonly signal: AbortSignal
  /** Called when the first try was in vain. */
  readonly onWaiting?: () => void
}

const retryMs = 500

/**
 * Tries for as long as the log says that trying again helps, and tells the first time and the end of it in the log.
 * Errors: LOG_CLOSED when `signal` aborts; those of `action` that no waiting mends.
 */
export async function untilReachable<T>(action: () => Promise<T>, patience: Patience): Promise<T> {
  const { clock, logger, signal, onWaiting } = patience
  let since: number | undefined
  while (!signal.aborted) {
    try {
      const result = await action()
      if (since !== undefined) logger.warn({ awayMs: clock.now() - since }, 'The log can be reached.')
      return result
    } catch (error) {
      if (signal.aborted) break
      if (!isMillraceError(error) || error.reaction !== 'retry') throw error
      if (since === undefined) {
        since = clock.now()
        logger.warn({ error: error.message }, 'The log cannot be reached; trying again until it can.')
        onWaiting?.()
      }
      await clock.sleep(retryMs, signal)
    }
  }
  throw logError('LOG_CLOSED', 'Stopped before the log could be reached.')
}
