/** A Redis server for one test run, and gone with it. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { findBinary } from './find-binary.ts'
import { freePort } from './free-port.ts'
import { startGuarded } from './guarded-process.ts'
import type { GuardedProcess } from './guarded-process.ts'
import type { StartedServer } from './start-postgres.ts'

const startMs = 60_000
/** A test takes a database of its own by number. */
const databases = 1024

/** From a local binary; undefined when there is none. */
export async function startLocalRedis(): Promise<StartedServer | undefined> {
  const program = findBinary('redis-server') ?? findBinary('valkey-server')
  if (program === undefined) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'millrace-redis-'))
  const port = await freePort()
  const server = startGuarded({
    command: [program, '--port', String(port), '--bind', '127.0.0.1', '--dir', folder, ...settings()],
    stopSignal: 'TERM',
    cleanup: `rm -rf '${folder}'`,
  })
  return ready(port, server)
}

/** In a container. */
export async function startDockerRedis(): Promise<StartedServer> {
  const port = await freePort()
  const server = startGuarded({
    command: [
      'docker',
      'run',
      '--rm',
      '--publish',
      `127.0.0.1:${port}:6379`,
      'redis:7',
      'redis-server',
      ...settings(),
    ],
    stopSignal: 'TERM',
  })
  return ready(port, server)
}

function settings(): string[] {
  return ['--save', '', '--appendonly', 'no', '--databases', String(databases)]
}

async function ready(port: number, server: GuardedProcess): Promise<StartedServer> {
  const url = `redis://127.0.0.1:${port}`
  const until = Date.now() + startMs
  for (;;) {
    const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null })
    redis.on('error', () => {})
    try {
      await redis.connect()
      await redis.ping()
      return { url, stop: () => server.stop() }
    } catch (error) {
      if (server.ended() || Date.now() > until) {
        await server.stop()
        throw new Error(`Redis did not start: ${server.output()}`, { cause: error })
      }
      await sleep(50)
    } finally {
      redis.disconnect()
    }
  }
}
