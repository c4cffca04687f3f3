/** The real program as a child process. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { MillraceError } from '#core'
import type { Clock } from '#core'
import type { ProcessKind } from '../process-kinds.ts'

export interface Program {
  readonly url: string
  /** SIGTERM; resolves with the exit code once it has ended. */
  stop(): Promise<number | null>
  readonly pid: number
  /** SIGKILL; resolves once it has ended. */
  kill(): Promise<void>
  /** Resolves with the exit code when it ends, whoever ended it. */
  readonly ended: Promise<number | null>
}

/** Variables beside those that name its directories; they win. */
export type ProgramEnvironment = Readonly<Record<string, string>>

export interface ProgramOptions {
  /** Default `start`. */
  readonly kind?: ProcessKind
  readonly environment?: ProgramEnvironment
  /** Gets what the program writes to stderr; left out, it goes to our own. */
  readonly onStderr?: (text: string) => void
}

/** From listening until ready. One that cannot start ends by itself: this is for a machine that is slow. */
const startTimeoutMs = 90_000

/**
 * Starts everything below `directory` on a free port; resolves once it is ready. Errors: CLI_DEMO_ENDED when it ended by
 * itself before that, CLI_DEMO_START_FAILED when it took too long; then it is killed. Either way it has ended.
 */
export async function startProgram(
  directory: string,
  clock: Clock,
  { kind = 'start', environment = {}, onStderr }: ProgramOptions = {},
): Promise<Program> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('../main.ts', import.meta.url)), kind], {
    env: {
      PATH: process.env['PATH'],
      TMPDIR: process.env['TMPDIR'],
      PORT: '0',
      LOG_URL: `embedded:${join(directory, 'log')}`,
      DATABASE_URL: `pglite:${join(directory, 'postgres')}`,
      STATE_DIR: join(directory, 'state'),
      VIEW_DIR: join(directory, 'view'),
      LOG_LEVEL: 'warn',
      ...environment,
    },
    stdio: ['ignore', 'pipe', onStderr === undefined ? 'inherit' : 'pipe'],
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => onStderr?.(text))
  // A demo that is interrupted or fails leaves no process behind, and its directory goes only after it.
  const kill = (): void => void child.kill('SIGKILL')
  process.prependOnceListener('exit', kill)
  let hasEnded = false
  const ended = once(child, 'exit').then(() => {
    hasEnded = true
    process.off('exit', kill)
    return child.exitCode
  })
  try {
    const url = await announcedUrl(child.stdout)
    if (url === undefined) throw notStarted('CLI_DEMO_ENDED', 'it ended before it listened')
    const deadline = clock.now() + startTimeoutMs
    while (!(await isReady(url))) {
      if (hasEnded) throw notStarted('CLI_DEMO_ENDED', 'it ended before it was ready')
      if (clock.now() > deadline) throw notStarted('CLI_DEMO_START_FAILED', 'it did not become ready')
      await clock.sleep(50)
    }
    const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> => {
      child.kill(signal)
      return ended
    }
    return {
      url,
      pid: child.pid as number,
      ended,
      stop: () => end('SIGTERM'),
      kill: async () => void (await end('SIGKILL')),
    }
  } catch (error) {
    child.kill('SIGKILL')
    // Whoever tries again finds its directories free.
    await ended
    throw error
  }
}

async function announcedUrl(output: Readable | null): Promise<string | undefined> {
  if (output === null) return undefined
  for await (const line of createInterface({ input: output })) {
    const match = /https?:\/\/[^\s/]+/.exec(line)
    if (match !== null) {
      output.resume()
      return match[0]
    }
  }
  return undefined
}

async function isReady(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/readyz`)
    await answer.body?.cancel()
    return answer.ok
  } catch {
    return false
  }
}

function notStarted(code: 'CLI_DEMO_ENDED' | 'CLI_DEMO_START_FAILED', why: string): MillraceError {
  return new MillraceError(code, `Millrace did not start: ${why}. The lines above say why.`, {
    domain: 'external',
    reaction: 'stop',
    retrySafe: true,
  })
}
