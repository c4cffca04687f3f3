/**
 * The whole program as its users run it, on real stores, in a directory of its own: in one process, or in three. Its
 * log is open to the checkers once it is stopped.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#core'
import type { CouponTopics } from '#domain/coupon'
import type { Log } from '#log'
import { HttpClient } from '../../cli/demo/http-client.ts'
import { startProgram } from '../../cli/demo/program.ts'
import type { Program, ProgramEnvironment } from '../../cli/demo/program.ts'
import type { ProcessKind } from '../../cli/process-kinds.ts'
import { postgres, redis } from '../servers/index.ts'
import { embeddedPlace, kafkaPlace } from './log-place.ts'
import type { LogKind, LogPlace } from './log-place.ts'

export interface SystemOptions {
  /** Default `embedded`. */
  readonly log?: LogKind
  /** Gateway, processor and sink in a process each; on Kafka only. */
  readonly apart?: boolean
  /** `host:port,…` of a Kafka of the test's own; the run's by default. */
  readonly brokers?: string
  /** Where its directory goes; the machine's temporary directory by default. */
  readonly parent?: string
}

const together: readonly ProcessKind[] = ['start']
const apart: readonly ProcessKind[] = ['gateway', 'processor', 'sink']

export class System {
  readonly directory: string
  readonly databaseUrl: string
  readonly redisUrl: string
  /** What the program has written to stderr since its start. */
  stderr = ''
  readonly #place: LogPlace
  readonly #kinds: readonly ProcessKind[]
  readonly #programs = new Map<ProcessKind, Program>()
  #http: HttpClient | undefined

  private constructor(
    directory: string,
    place: LogPlace,
    stores: { readonly databaseUrl: string; readonly redisUrl: string },
    kinds: readonly ProcessKind[],
  ) {
    this.directory = directory
    this.#place = place
    this.databaseUrl = stores.databaseUrl
    this.redisUrl = stores.redisUrl
    this.#kinds = kinds
  }

  static async create(options: SystemOptions = {}): Promise<System> {
    const directory = await mkdtemp(join(options.parent ?? tmpdir(), 'millrace-system-'))
    const [database, keys] = await Promise.all([postgres(), redis()])
    const place = options.log === 'kafka' ? kafkaPlace(options.brokers) : embeddedPlace(directory)
    const stores = { databaseUrl: database.url, redisUrl: keys.url }
    return new System(directory, place, stores, options.apart === true ? apart : together)
  }

  get stateDir(): string {
    return join(this.directory, 'state')
  }

  get appId(): string {
    return this.#place.appId
  }

  get topics(): CouponTopics {
    return this.#place.topics
  }

  /** What leads a further process to the same log and stores. */
  get environment(): ProgramEnvironment {
    return { DATABASE_URL: this.databaseUrl, REDIS_URL: this.redisUrl, ...this.#place.environment }
  }

  /**
   * Starts the program, or starts it again on what it left; resolves once it is ready.
   * @param kinds which of its processes; all by default
   */
  async start(environment: ProgramEnvironment = {}, kinds = this.#kinds): Promise<void> {
    this.stderr = ''
    const starting = kinds.map(async (kind) => {
      const program = await startProgram(this.directory, systemClock, {
        kind,
        environment: { ...this.environment, ...environment },
        onStderr: (text) => (this.stderr += text),
      })
      this.#programs.set(kind, program)
    })
    const failed = (await Promise.allSettled(starting)).find(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') {
      await this.kill()
      throw failed.reason
    }
  }

  get http(): HttpClient {
    return (this.#http ??= new HttpClient(this.url, 256))
  }

  get url(): string {
    return this.#serving().url
  }

  /** SIGTERM; the exit code, of several processes the first that is not 0. */
  async stop(): Promise<number | null> {
    const codes = await Promise.all([...this.#programs.values()].map((program) => program.stop()))
    this.#closed()
    return codes.find((code) => code !== 0) ?? codes[0] ?? null
  }

  /** Resolves with the exit code when the program ends by itself. */
  async ended(): Promise<number | null> {
    const code = await this.#serving().ended
    this.#closed()
    return code
  }

  async kill(): Promise<void> {
    await Promise.all([...this.#programs.values()].map((program) => program.kill()))
    this.#closed()
  }

  /** One of the processes apart; the others go on. */
  async killOnly(kind: ProcessKind): Promise<void> {
    await this.#programs.get(kind)?.kill()
    this.#programs.delete(kind)
    // It comes back on another port.
    if (kind === 'gateway') this.#disconnect()
  }

  /** Whether the log can be opened while the program runs. */
  get isLogShared(): boolean {
    return this.#place.isShared
  }

  /** Opens the log for as long as `use` runs; one that is not shared only of the stopped program. */
  withLog<T>(use: (log: Log) => Promise<T>): Promise<T> {
    return this.#place.withLog(use)
  }

  async destroy(): Promise<void> {
    await this.kill()
    await rm(this.directory, { recursive: true, force: true })
  }

  /** The process that has the API. */
  #serving(): Program {
    const program = this.#programs.get('start') ?? this.#programs.get('gateway')
    if (program === undefined) throw new Error('the program is not running')
    return program
  }

  #closed(): void {
    this.#disconnect()
    this.#programs.clear()
  }

  #disconnect(): void {
    this.#http?.close()
    this.#http = undefined
  }
}
