/** A PostgreSQL server for one test run, and gone with it. */
import { spawnSync } from 'node:child_process'
import { chownSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { findBinary } from './find-binary.ts'
import { freePort } from './free-port.ts'
import { startGuarded } from './guarded-process.ts'
import type { GuardedProcess, SystemUser } from './guarded-process.ts'

export interface StartedServer {
  readonly url: string
  stop(): Promise<void>
}

const startMs = 60_000

/** From local binaries; undefined when there are none. */
export async function startLocalPostgres(): Promise<StartedServer | undefined> {
  const postgres = findBinary('postgres')
  const initdb = findBinary('initdb')
  if (postgres === undefined || initdb === undefined) return undefined
  const root = mkdtempSync(join(tmpdir(), 'millrace-postgres-'))
  const data = join(root, 'data')
  const port = await freePort()
  const user = unprivileged()
  if (user !== undefined) chownSync(root, user.uid, user.gid)
  const parameters = ['--username=postgres', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync']
  const made = spawnSync(initdb, [`--pgdata=${data}`, ...parameters], {
    encoding: 'utf8',
    cwd: root,
    ...user,
  })
  if (made.status !== 0)
    throw new Error(`initdb failed: ${made.stderr || made.error?.message || made.stdout}`)
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: 200,
    // The data lives as long as the run.
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
  }
  const server = startGuarded({
    command: [
      postgres,
      '-D',
      data,
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    stopSignal: 'INT',
    cleanup: `rm -rf '${root}'`,
    ...(user === undefined ? {} : { user }),
  })
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  await untilPostgresAnswers(url, server)
  return { url, stop: () => server.stop() }
}

/** In a container. */
export async function startDockerPostgres(): Promise<StartedServer> {
  const port = await freePort()
  const server = startGuarded({
    command: [
      'docker',
      'run',
      '--rm',
      '--publish',
      `127.0.0.1:${port}:5432`,
      '--env',
      'POSTGRES_HOST_AUTH_METHOD=trust',
      'postgres:17',
      '-c',
      'fsync=off',
      '-c',
      'max_connections=200',
    ],
    stopSignal: 'TERM',
  })
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  await untilPostgresAnswers(url, server)
  return { url, stop: () => server.stop() }
}

/** PostgreSQL refuses to run as root: then it runs as Debian's `postgres`, else as `nobody`. */
function unprivileged(): SystemUser | undefined {
  if (process.getuid?.() !== 0) return undefined
  const name = ['postgres', 'nobody'].find((candidate) => idOf('-u', candidate) > 0)
  if (name === undefined) {
    throw new Error('PostgreSQL does not run as root, and there is no user postgres or nobody to run it as.')
  }
  return { uid: idOf('-u', name), gid: idOf('-g', name) }
}

function idOf(flag: '-u' | '-g', name: string): number {
  const { status, stdout } = spawnSync('id', [flag, name], { encoding: 'utf8' })
  return status === 0 ? Number(stdout) : Number.NaN
}

async function untilPostgresAnswers(url: string, server: GuardedProcess): Promise<void> {
  const until = Date.now() + startMs
  for (;;) {
    const client = new Client({ connectionString: url, connectionTimeoutMillis: 2000 })
    client.on('error', () => {})
    try {
      await client.connect()
      await client.query('select 1')
      return
    } catch (error) {
      if (server.ended() || Date.now() > until) {
        await server.stop()
        throw new Error(`PostgreSQL did not start: ${server.output()}`, { cause: error })
      }
      await sleep(50)
    } finally {
      await client.end().catch(() => {})
    }
  }
}
