import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { BareAnswer, BareReady } from '../children/bare-hono.ts'
import type { Scope } from '../runner/scope.ts'

/** Starts the peer, which answers every claim so; its address. */
export async function startBareHono(answer: BareAnswer, scope: Scope): Promise<string> {
  const child = fork(new URL('../children/bare-hono.ts', import.meta.url), { stdio: ['ignore', 2, 2, 'ipc'] })
  const ended = once(child, 'exit')
  scope.defer(async () => {
    child.kill('SIGKILL')
    await ended
  })
  child.send(answer)
  const ready = once(child, 'message').then(([message]) => message as BareReady)
  const failed = ended.then((): never => {
    throw new Error('the peer ended before it listened')
  })
  failed.catch(() => {})
  return (await Promise.race([ready, failed])).url
}
