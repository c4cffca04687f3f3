/**
 * A measured process of its own: a fresh heap and JIT, and CPU time and memory that are its alone.
 *
 * The parent hands the input over, the child answers with progress and one result or failure, and ends.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Context } from './bench.ts'
import type { FromChild, MeasuredScript } from './measured.ts'

/** Runs a script. Rejects with what went wrong in it. */
export async function runChild<Input extends object, Output>(
  script: MeasuredScript<Input, Output>,
  input: Input,
  { scope, progress, profileDirectory }: Context,
): Promise<Output> {
  const profiling = profileDirectory === undefined ? [] : profileFlags(profileDirectory)
  const child = fork(script.url, {
    stdio: ['ignore', 2, 2, 'ipc'],
    execArgv: [...process.execArgv, ...profiling],
  })
  const ended = once(child, 'exit')
  scope.defer(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await ended
  })
  const answer = new Promise<Output>((resolve, reject) => {
    child.on('message', (message: FromChild) => {
      if (message.kind === 'progress') progress.at(message.done, message.total)
      else if (message.kind === 'failure') reject(new Error(message.message))
      else resolve(message.value as Output)
    })
    child.once('error', reject)
    child.once('exit', (code, signal) => reject(new Error(`the measured process ended: ${signal ?? code}`)))
  })
  child.send(input)
  const output = await answer
  await ended
  return output
}

/** Of a Node process that writes a CPU profile of each of its threads. */
export function profileFlags(directory: string): readonly string[] {
  return ['--cpu-prof', `--cpu-prof-dir=${directory}`]
}
