/** Load on a fixed number of connections, each with the next request as soon as it has an answer. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { closedLoopScript } from '../children/scripts.ts'
import type { Context } from '../runner/bench.ts'
import { runChild } from '../runner/child.ts'
import type { Scope } from '../runner/scope.ts'
import { claimsPath } from './claim-request.ts'
import type { ClaimTarget } from './claim-request.ts'

export interface ClosedLoop extends ClaimTarget {
  readonly connections: number
  readonly seconds: number
  /** Begins every user id; the users of different loads must be different. */
  readonly userPrefix: string
}

export interface LoadResult {
  readonly answers: number
  readonly seconds: number
  /** Answers with a status of 400 or more. */
  readonly refused: number
  /** Requests that got no answer. */
  readonly broken: number
}

/** Which program makes the load; the same for everything in a run. */
export const loadGenerator = spawnSync('wrk', ['--version']).error === undefined ? 'wrk' : 'node'

/** Always in a process of its own. */
export async function closedLoop(load: ClosedLoop, context: Context): Promise<LoadResult> {
  const result =
    loadGenerator === 'wrk'
      ? await wrk(load, context.scope)
      : await runChild(closedLoopScript, load, { ...context, profileDirectory: undefined })
  if (result.broken > 0) throw new Error(`${result.broken} requests got no answer`)
  return result
}

async function wrk(load: ClosedLoop, scope: Scope): Promise<LoadResult> {
  const { url, couponId, prefer, connections, seconds, userPrefix } = load
  const script = fileURLToPath(new URL('./claims.lua', import.meta.url))
  const size = ['--threads', '1', '--connections', String(connections), '--duration', `${seconds}s`]
  const details = [claimsPath(couponId), userPrefix, prefer ?? '']
  const child = spawn('wrk', [...size, '--timeout', '30s', '--script', script, url, '--', ...details], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  scope.defer(async () => void child.kill('SIGKILL'))
  const [output] = await Promise.all([text(child.stdout), once(child, 'exit')])
  const line = /^\{.*\}$/m.exec(output)
  if (line === null) throw new Error(`wrk did not do its work: ${output}`)
  return JSON.parse(line[0]) as LoadResult
}
