/** One broker process that a test can kill, pause and start again on the same data and ports. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startGuarded } from '../guarded-process.ts'
import type { GuardedProcess } from '../guarded-process.ts'
import { brokersAlive } from './alive.ts'
import type { KafkaJava } from './jars.ts'

export interface KafkaNode {
  readonly id: number
  /** `127.0.0.1:port`. */
  readonly broker: string
  /** Orderly: leaders move away first. Resolves once the process has ended. */
  stop(): Promise<void>
  /** kill -9. Resolves once the process has ended. */
  kill(): Promise<void>
  /** Starts it again if it has ended, and resolves once it takes part. */
  start(): Promise<void>
  /** `stop` and `start`. */
  restart(): Promise<void>
  /** SIGSTOP: connections stay, nothing answers. Resolves once the process stands still. */
  pause(): Promise<void>
  /** SIGCONT. */
  resume(): Promise<void>
  /** The end of what it has logged; what a failing test prints. */
  log(): string
}

export interface NodeOptions extends KafkaJava {
  readonly id: number
  /** Of the listener for clients. */
  readonly port: number
  /** Holds `server.properties` and the log. */
  readonly folder: string
}

const startMs = 120_000
const logBytesMax = 64 * 1024

export function kafkaNode({ id, port, folder, java, classpath }: NodeOptions): KafkaNode {
  const logFile = join(folder, 'broker.log')
  let process: GuardedProcess | undefined
  const log = (): string => {
    const written = existsSync(logFile) ? readFileSync(logFile, 'utf8').slice(-logBytesMax) : ''
    return `${written}${process?.output() ?? ''}`
  }
  const launch = (): GuardedProcess =>
    startGuarded({
      command: [
        java,
        '-Xms256m',
        '-Xmx512m',
        '-XX:+UseSerialGC',
        '-Dorg.slf4j.simpleLogger.defaultLogLevel=info',
        '-Dorg.slf4j.simpleLogger.showDateTime=true',
        '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS',
        `-Dorg.slf4j.simpleLogger.logFile=${logFile}`,
        '-cp',
        classpath,
        'kafka.Kafka',
        join(folder, 'server.properties'),
      ],
      // Its data goes with the run.
      stopSignal: 'KILL',
    })
  const endBy = async (signal: string): Promise<void> => {
    if (process === undefined) return
    await process.signal(signal)
    await process.signal('CONT')
    await process.end
    await process.stop()
    process = undefined
  }
  const node: KafkaNode = {
    id,
    broker: `127.0.0.1:${port}`,
    stop: () => endBy('TERM'),
    kill: () => endBy('KILL'),
    async start() {
      if (process === undefined || process.ended()) process = launch()
      const until = Date.now() + startMs
      while (!(await brokersAlive(port)).includes(id)) {
        if (process.ended() || Date.now() > until) throw new Error(`Kafka did not start:\n${log()}`)
        await sleep(50)
      }
    },
    async restart() {
      await node.stop()
      await node.start()
    },
    async pause() {
      await process?.signal('STOP')
    },
    async resume() {
      await process?.signal('CONT')
    },
    log,
  }
  return node
}
