/** The processes of the exactly-once test: each has a state directory of its own, and comes back to it. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { systemClock } from '#core'
import { ProcessorLog } from '../chaos/processor-log.ts'

const script = fileURLToPath(new URL('test-eos-child.ts', import.meta.url))
const readyMsMax = 120_000

export class EosProcess {
  readonly stateDir: string
  readonly log: ProcessorLog
  readonly #environment: Readonly<Record<string, string>>
  #child: ChildProcess | undefined

  /**
   * @param environment beside its directory
   * @param logs a directory that keeps what it logs
   */
  constructor(
    directory: string,
    name: string,
    environment: Readonly<Record<string, string>>,
    logs: string | undefined,
  ) {
    this.stateDir = join(directory, name)
    this.log = new ProcessorLog(name, logs)
    this.#environment = environment
  }

  get isRunning(): boolean {
    return this.#child !== undefined
  }

  /** Resolves once everything that it was assigned is restored. */
  async start(): Promise<void> {
    const { PATH, TMPDIR } = process.env
    this.log.started()
    const child = spawn(process.execPath, [script], {
      env: { PATH, TMPDIR, STATE_DIR: this.stateDir, ...this.#environment },
      stdio: ['ignore', 'inherit', 'pipe'],
    })
    this.#child = child
    const ready = Promise.withResolvers<void>()
    const waiting = new AbortController()
    const kill = (): void => void child.kill('SIGKILL')
    process.prependOnceListener('exit', kill)
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.log.write(text)
      if (text.includes('"msg":"ready"')) ready.resolve()
    })
    child.once('exit', (code, signal) => {
      process.off('exit', kill)
      waiting.abort()
      if (this.#child !== child) return
      this.#child = undefined
      this.log.trouble.push(`ended by itself with ${code ?? signal}`)
      ready.reject(new Error(`${this.log.name}: ${this.log.trouble.slice(-2).join(', ')}`))
    })
    const tooLate = systemClock.sleep(readyMsMax, waiting.signal).then(() => {
      throw new Error(`${this.log.name} was not ready within ${readyMsMax} ms: ${this.log.trouble.at(-1)}`)
    })
    try {
      await Promise.race([ready.promise, tooLate])
    } finally {
      waiting.abort()
      tooLate.catch(() => undefined)
    }
  }

  /** kill -9. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** In order; the exit code. */
  stop(): Promise<number | null> {
    return this.#end('SIGTERM')
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined) return null
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
    return child.exitCode
  }
}
