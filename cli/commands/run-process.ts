/** `millrace start`, `gateway`, `processor`, `sink`: a process that works until a signal or a failure ends it. */
import { systemClock } from '#core'
import { banner } from '../banner.ts'
import { createLogger } from '../compose/logger.ts'
import { startProcess } from '../compose/start-process.ts'
import { exitCodeOf, exitCodes } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import type { ProcessKind } from '../process-kinds.ts'
import { readSettings } from '../settings.ts'
import { onStopSignal } from '../stop-signal.ts'
import type { Terminal } from '../terminal.ts'

/** An orderly stop that takes longer is cut off; the next start repairs nothing, it just reads on. */
const stopTimeoutMs = 9000

export async function runProcess(terminal: Terminal, kind: ProcessKind): Promise<ExitCode> {
  const settings = readSettings(terminal.environment, kind)
  const readableLogs = process.stderr.isTTY
  const worker = kind === 'start' ? 'main' : kind
  const logger = createLogger({ level: settings.logLevel, worker, readable: readableLogs })
  const signalled = Promise.withResolvers<void>()
  onStopSignal({
    stop: () => signalled.resolve(),
    force: () => {
      terminal.err('millrace: stopped at once by a second signal; nothing acknowledged is lost.\n')
      process.exit(exitCodes.failed)
    },
  })
  const program = await startProcess(kind, { settings, clock: systemClock, logger, readableLogs })
  void program.opened.then(() => terminal.out(banner(kind, settings, program.url)))
  void program.ready.then(() => terminal.out(`Ready after ${(performance.now() / 1000).toFixed(1)} s.\n`))
  try {
    await Promise.race([signalled.promise, program.failure])
  } catch (error) {
    // A part is gone, and what it held cannot be closed in order. Stopping at once is safe at any moment.
    terminal.fail(error)
    process.exit(exitCodeOf(error))
  }
  const timeout = new AbortController()
  const late = systemClock.sleep(stopTimeoutMs, timeout.signal).then(() => timeout.signal.aborted)
  const stopped = program.stop().then(() => true)
  const inTime = await Promise.race([stopped, late])
  timeout.abort()
  if (!inTime) {
    terminal.err('millrace: stopping took too long and was cut off; nothing acknowledged is lost.\n')
    process.exit(exitCodes.failed)
  }
  return exitCodes.ok
}
