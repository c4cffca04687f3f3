/** Ctrl-C and SIGTERM: the first asks for an orderly stop, an impatient later one forces the end. */

/** How soon the end of the shell that npm started us from is noticed. */
const shellPollMs = 500

/** Within this time a further signal is the same one: a terminal and npm both deliver Ctrl-C. */
const sameSignalMs = 1000

interface StopHandlers {
  /** Called once, also when the signal came before the handlers. */
  readonly stop: () => void
  /** A further signal, more than a second later. */
  readonly force: () => void
}

let handlers: StopHandlers | undefined
let firstAt: number | undefined

/**
 * From now on SIGINT, SIGTERM and SIGHUP no longer end the process; nor does it outlive the process that started it
 * for an older Node. Called before the heavy modules are loaded, so that an early signal is an orderly stop too.
 */
export function catchStopSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, signalled)
  if (process.channel) {
    process.once('disconnect', signalled)
    // Listening to it must not keep the process alive.
    process.channel.unref()
  }
  if (process.env['npm_lifecycle_event'] !== undefined) stopWithShell()
}

/** npm and npx pass a signal to their shell, and that ends without telling us. */
function stopWithShell(): void {
  const shell = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === shell) return
    clearInterval(timer)
    signalled()
  }, shellPollMs)
  timer.unref()
}

export function onStopSignal(given: StopHandlers): void {
  handlers = given
  if (firstAt !== undefined) given.stop()
}

function signalled(): void {
  const now = performance.now()
  if (firstAt === undefined) {
    firstAt = now
    handlers?.stop()
  } else if (now - firstAt > sameSignalMs) handlers?.force()
}
