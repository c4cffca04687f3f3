/** What a processor says of its tasks and threads in its log (JSON lines, level info). */
import { appendFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'

interface LogLine {
  readonly level: number
  readonly time: number
  readonly msg?: string
  readonly thread?: string | number
  readonly task?: string
  readonly to?: string
  readonly error?: unknown
}

export interface Takeover {
  /** Begins the transactional ids of the thread. */
  readonly owner: string
  readonly task: string
  readonly at: number
}

const warning = 40

export class ProcessorLog {
  readonly name: string
  /** Each time that a thread began to run a task. */
  readonly takeovers: Takeover[] = []
  /** Tasks that run, and the thread that has each. */
  readonly tasks = new Map<string, string>()
  replacedThreads = 0
  /** Warnings and errors, the last ones. */
  readonly trouble: string[] = []
  #rest = ''
  readonly #file: string | undefined

  /** @param directory keeps all of it in a file, for whoever wants to read it */
  constructor(name: string, directory?: string) {
    this.name = name
    if (directory === undefined) return
    mkdirSync(directory, { recursive: true })
    this.#file = join(directory, `${name}.log`)
  }

  /** A process begins: the one before has nothing any more. */
  started(): void {
    this.tasks.clear()
    this.#rest = ''
  }

  write(text: string): void {
    if (this.#file !== undefined) appendFileSync(this.#file, text)
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#read(line)
  }

  #read(text: string): void {
    const line = parsed(text)
    if (line === undefined || line.level >= warning) {
      this.trouble.push(text)
      if (this.trouble.length > 200) this.trouble.shift()
    }
    if (line?.msg === 'stream thread died and is replaced') {
      this.replacedThreads++
      // A thread that died did not say what it no longer has; the number ends the name.
      for (const [task, owner] of this.tasks) if (owner.endsWith(`-${line.thread}`)) this.tasks.delete(task)
    }
    if (line?.msg !== 'task state changed') return
    const { task = '', thread = '', to, time } = line
    const owner = String(thread)
    if (to === 'running') {
      this.takeovers.push({ owner, task, at: time })
      this.tasks.set(task, owner)
    } else if (this.tasks.get(task) === owner) this.tasks.delete(task)
  }
}

function parsed(text: string): LogLine | undefined {
  try {
    return JSON.parse(text) as LogLine
  } catch {
    return undefined
  }
}
