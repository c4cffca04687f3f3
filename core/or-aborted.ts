/** Not to wait for what nobody wants any more. */

/**
 * What the work comes to, or undefined when the signal comes first; then nobody asks what becomes of the work, a
 * failure included. Signals outlive such waits by far, so none keeps anything of one that is over.
 * Errors: those of the work, before the signal.
 */
export async function orAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T | undefined> {
  const aborted = Promise.withResolvers<undefined>()
  const abort = (): void => aborted.resolve(undefined)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
