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

const startTimeoutMs = 30_000

/** Starts everything below `directory` on a free port; resolves once it is ready. */
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
  const ended = once(child, 'exit').then(() => child.exitCode)
  try {
    const url = await announcedUrl(child.stdout)
    if (url === undefined) throw startFailed('it ended before it listened')
    const deadline = clock.now() + startTimeoutMs
    while (!(await isReady(url))) {
      if (child.exitCode !== null || clock.now() > deadline) throw startFailed('it did not become ready')
      await clock.sleep(50)
    }
    const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> => {
      child.kill(signal)
      const code = await ended
      process.off('exit', kill)
      return code
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

function startFailed(why: string): MillraceError {
  return new MillraceError(
    'CLI_DEMO_START_FAILED',
    `Millrace did not start: ${why}. The lines above say why.`,
    {
      domain: 'external',
      reaction: 'stop',
      retrySafe: true,
    },
  )
}
