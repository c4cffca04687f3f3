/** Processors of one system that come and go, each with a state directory of its own, and what they have logged. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { systemClock } from '#core'
import { startProgram } from '../../cli/demo/program.ts'
import type { Program, ProgramEnvironment } from '../../cli/demo/program.ts'
import type { System } from '../system/system.ts'
import { ProcessorLog } from './processor-log.ts'

export interface Processor {
  readonly name: string
  /** Its state directory. */
  readonly stateDir: string
  readonly log: ProcessorLog
  readonly program: Program
}

const preload = fileURLToPath(new URL('fault-preload.ts', import.meta.url))

export class Processors {
  readonly #system: System
  readonly #environment: ProgramEnvironment
  readonly #logs: string | undefined
  readonly #running = new Map<string, Processor>()
  /** Of all that ever ran, by name: a processor that is started again goes on in it. */
  readonly #byName = new Map<string, ProcessorLog>()

  /**
   * @param environment beside what leads to the system
   * @param logs a directory that keeps what they log
   */
  constructor(system: System, environment: ProgramEnvironment, logs?: string) {
    this.#system = system
    this.#environment = environment
    this.#logs = logs
  }

  get running(): readonly Processor[] {
    return [...this.#running.values()]
  }

  get logs(): readonly ProcessorLog[] {
    return [...this.#byName.values()]
  }

  /** Of all that ever ran. */
  get stateDirs(): readonly string[] {
    return [...this.#byName.keys()].map((name) => this.#stateDirOf(name))
  }

  /** Starts it, or starts it again on its state; resolves once it is ready. */
  async start(name: string, environment: ProgramEnvironment = {}): Promise<Processor> {
    const log = this.#byName.get(name) ?? new ProcessorLog(name, this.#logs)
    this.#byName.set(name, log)
    log.started()
    const directory = this.#directoryOf(name)
    const program = await startProgram(directory, systemClock, {
      kind: 'processor',
      environment: {
        ...this.#system.environment,
        LOG_LEVEL: 'info',
        NODE_OPTIONS: `--import=${preload}`,
        ...this.#environment,
        ...environment,
      },
      onStderr: (text) => log.write(text),
    })
    const processor = { name, stateDir: this.#stateDirOf(name), log, program }
    this.#running.set(name, processor)
    return processor
  }

  /** kill -9. */
  async kill(processor: Processor): Promise<void> {
    this.#running.delete(processor.name)
    await processor.program.kill()
  }

  /** SIGTERM; the exit code. */
  async stop(processor: Processor): Promise<number | null> {
    this.#running.delete(processor.name)
    return processor.program.stop()
  }

  /** The last line that it wrote and did not mean as information. */
  troubleOf(name: string): string | undefined {
    return this.#byName.get(name)?.trouble.at(-1)
  }

  /** It has ended by itself. */
  forget(processor: Processor): void {
    this.#running.delete(processor.name)
  }

  async killAll(): Promise<void> {
    await Promise.all(this.running.map((processor) => this.kill(processor)))
  }

  #directoryOf(name: string): string {
    return join(this.#system.directory, name)
  }

  #stateDirOf(name: string): string {
    return join(this.#directoryOf(name), 'state')
  }
}

export function send(processor: Processor, signal: 'SIGSTOP' | 'SIGCONT' | 'SIGUSR2'): void {
  process.kill(processor.program.pid, signal)
}
