/** Millrace's own processor as a process beside its peers. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import type {
  KafkaProcessorEvent,
  KafkaProcessorInput,
  KafkaProcessorOrder,
} from '../children/kafka-processor.ts'
import { youngGenerationMb } from '../../cli/compose/thread.ts'
import { profileFlags } from '../runner/child.ts'
import type { Engine, EngineRun, RunningEngine } from './engine.ts'
import { processFootprint, processUsage } from './process-usage.ts'

/** For the one stream thread that is the main thread, what the program gives to its threads. */
const youngGeneration = [`--max-semi-space-size=${youngGenerationMb / 3}`]

const script = new URL('../children/kafka-processor.ts', import.meta.url)

export interface MillraceOptions extends Pick<KafkaProcessorInput, 'threads'> {
  /** Where a CPU profile of each run that is stopped in order goes; undefined: none is made. */
  readonly profileDirectory?: string | undefined
}

export function millrace(options: MillraceOptions = {}): Engine {
  return { name: 'millrace', start: async (run) => start(run, options) }
}

function start(run: EngineRun, { profileDirectory, ...more }: MillraceOptions): RunningEngine {
  const profiling = profileDirectory === undefined ? [] : profileFlags(profileDirectory)
  const child = fork(script, {
    stdio: ['ignore', 2, 2, 'ipc'],
    execArgv: [...process.execArgv, ...youngGeneration, ...profiling],
  })
  const { pid } = child
  if (pid === undefined) throw new Error('the processor did not start')
  const ended = once(child, 'exit')
  const running = Promise.withResolvers<void>()
  const stopped = Promise.withResolvers<void>()
  const failed = Promise.withResolvers<never>()
  // Whoever waits for one of them hears of it; nobody has to.
  for (const { promise } of [running, stopped, failed]) promise.catch(() => {})
  let killed = false
  const fail = (why: string): void => {
    const error = new Error(`the processor has ended: ${why}`)
    for (const { reject } of killed ? [running, stopped] : [running, stopped, failed]) reject(error)
  }
  let over = false
  let restored = 0
  let heardTasks: ((partitions: readonly number[]) => void) | undefined
  child.on('message', (said: KafkaProcessorEvent) => {
    switch (said.event) {
      case 'running':
        restored = said.restoreSeconds ?? 0
        running.resolve()
        break
      case 'tasks':
        heardTasks?.(said.partitions)
        break
      case 'stopped':
        over = true
        stopped.resolve()
        break
      case 'failed':
        fail(said.message)
    }
  })
  child.once('exit', (code, signal) => {
    if (!over) fail(signal ?? String(code))
  })
  const order = (what: KafkaProcessorInput | KafkaProcessorOrder): void => {
    if (child.connected) child.send(what)
  }
  order({ ...run, ...more })
  return {
    running: () => running.promise,
    failed: failed.promise,
    usage: () => processUsage(pid),
    footprint: () => processFootprint(pid),
    restoreSeconds: () => restored,
    tasks: () =>
      new Promise((resolve) => {
        heardTasks = resolve
        order('tasks')
      }),
    loseThread: () => order('lose-thread'),
    async stop() {
      order('stop')
      await stopped.promise
      await ended
    },
    async kill() {
      killed = true
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await ended
    },
  }
}
