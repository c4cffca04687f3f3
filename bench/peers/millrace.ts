/** Millrace's own processor as a process beside its peers. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { KafkaProcessorEvent } from '../children/kafka-processor.ts'
import { profileFlags } from '../runner/child.ts'
import type { Engine, EngineRun, RunningEngine } from './engine.ts'
import { processUsage } from './process-usage.ts'

const script = new URL('../children/kafka-processor.ts', import.meta.url)

/** @param profileDirectory where a CPU profile of each run that is stopped in order goes; undefined: none is made */
export function millrace(profileDirectory?: string): Engine {
  return { name: 'millrace', start: async (run) => start(run, profileDirectory) }
}

function start(run: EngineRun, profileDirectory: string | undefined): RunningEngine {
  const profiling = profileDirectory === undefined ? [] : profileFlags(profileDirectory)
  const child = fork(script, {
    stdio: ['ignore', 2, 2, 'ipc'],
    execArgv: [...process.execArgv, ...profiling],
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
  child.on('message', ({ event, message = '', restoreSeconds = 0 }: KafkaProcessorEvent) => {
    restored = Math.max(restored, restoreSeconds)
    if (event === 'running') running.resolve()
    else if (event === 'stopped') stopped.resolve()
    else fail(message)
    over ||= event === 'stopped'
  })
  child.once('exit', (code, signal) => {
    if (!over) fail(signal ?? String(code))
  })
  child.send(run)
  return {
    running: () => running.promise,
    failed: failed.promise,
    usage: () => processUsage(pid),
    restoreSeconds: () => restored,
    async stop() {
      if (child.connected) child.send('stop')
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
