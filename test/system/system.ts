/**
 * The whole program as its users run it, on real stores, in a directory of its own; and its log, opened for the
 * checkers once it is stopped.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#core'
import type { Log } from '#log'
import { EmbeddedBroker, openEmbeddedLog } from '#log/embedded'
import { HttpClient } from '../../cli/demo/http-client.ts'
import { startProgram } from '../../cli/demo/program.ts'
import type { Program, ProgramEnvironment } from '../../cli/demo/program.ts'
import { postgres, redis } from '../servers/index.ts'

export const appId = 'coupon'

export class System {
  readonly directory: string
  readonly databaseUrl: string
  readonly redisUrl: string
  /** What the program has written to stderr since its start. */
  stderr = ''
  #program: Program | undefined
  #http: HttpClient | undefined

  private constructor(directory: string, databaseUrl: string, redisUrl: string) {
    this.directory = directory
    this.databaseUrl = databaseUrl
    this.redisUrl = redisUrl
  }

  /** @param parent where its directory goes; the machine's temporary directory by default */
  static async create(parent = tmpdir()): Promise<System> {
    const directory = await mkdtemp(join(parent, 'millrace-system-'))
    const [database, keys] = await Promise.all([postgres(), redis()])
    return new System(directory, database.url, keys.url)
  }

  get stateDir(): string {
    return join(this.directory, 'state')
  }

  /** Starts the program, or starts it again on what it left; resolves once it is ready. */
  async start(environment: ProgramEnvironment = {}): Promise<void> {
    this.stderr = ''
    this.#program = await startProgram(this.directory, systemClock, {
      environment: {
        DATABASE_URL: this.databaseUrl,
        REDIS_URL: this.redisUrl,
        APP_ID: appId,
        ...environment,
      },
      onStderr: (text) => (this.stderr += text),
    })
    this.#http = new HttpClient(this.#program.url, 256)
  }

  get http(): HttpClient {
    if (this.#http === undefined) throw new Error('the program is not running')
    return this.#http
  }

  get url(): string {
    if (this.#program === undefined) throw new Error('the program is not running')
    return this.#program.url
  }

  /** SIGTERM; the exit code. */
  async stop(): Promise<number | null> {
    const code = (await this.#program?.stop()) ?? null
    this.#closed()
    return code
  }

  /** Resolves with the exit code when the program ends by itself. */
  async ended(): Promise<number | null> {
    const code = (await this.#program?.ended) ?? null
    this.#closed()
    return code
  }

  async kill(): Promise<void> {
    await this.#program?.kill()
    this.#closed()
  }

  /** Opens the log of the stopped program for as long as `use` runs. */
  async withLog<T>(use: (log: Log) => Promise<T>): Promise<T> {
    const broker = await EmbeddedBroker.open({ dir: join(this.directory, 'log'), clock: systemClock })
    try {
      const log = await openEmbeddedLog(broker, { clock: systemClock })
      try {
        return await use(log)
      } finally {
        await log.close()
      }
    } finally {
      await broker.close()
    }
  }

  async destroy(): Promise<void> {
    await this.kill()
    await rm(this.directory, { recursive: true, force: true })
  }

  #closed(): void {
    this.#http?.close()
    this.#http = undefined
    this.#program = undefined
  }
}
