/** Ctrl-C and SIGTERM: the first asks for an orderly stop, an impatient later one forces the end. */

/** Within this time a further signal is the same one: a terminal and npm both deliver Ctrl-C. */
const sameSignalMs = 1000

/**
 * Calls `stop` at the first SIGINT, SIGTERM or SIGHUP, or when the process that started us for an older Node is
 * gone, and `force` when one comes again more than a second later.
 */
export function onStopSignal(handlers: { readonly stop: () => void; readonly force: () => void }): void {
  let firstAt: number | undefined
  const signalled = (): void => {
    const now = performance.now()
    if (firstAt === undefined) {
      firstAt = now
      handlers.stop()
    } else if (now - firstAt > sameSignalMs) handlers.force()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, signalled)
  if (process.channel) {
    process.once('disconnect', signalled)
    // Listening to it must not keep the process alive.
    process.channel.unref()
  }
}
