/** The servers of a test run: those that TEST_DATABASE_URL and TEST_REDIS_URL name, else containers, else local programs. */
import { dockerAnswers } from './find-binary.ts'
import { startDockerPostgres, startLocalPostgres } from './start-postgres.ts'
import type { StartedServer } from './start-postgres.ts'
import { startDockerRedis, startLocalRedis } from './start-redis.ts'

export interface TestServers {
  readonly databaseUrl: string
  readonly redisUrl: string
  /** Stops what was started here. */
  stop(): Promise<void>
}

/** The first lines of a run that cannot go on. */
const missingServers = [
  'The tests need PostgreSQL and Redis, and found neither local programs nor a container runtime. Install them:',
  '  apt-get install -y postgresql redis-server',
  'or set TEST_DATABASE_URL and TEST_REDIS_URL, or run the tests that need no server:',
  '  npm run test:unit',
].join('\n')

/** Errors: a message that begins with `missingServers` when there is no way to a server. */
export async function startServers(): Promise<TestServers> {
  const started: StartedServer[] = []
  const { TEST_DATABASE_URL: databaseUrl, TEST_REDIS_URL: redisUrl } = process.env
  const docker = !(databaseUrl && redisUrl) && dockerAnswers()
  const one = async (
    given: string | undefined,
    inContainer: () => Promise<StartedServer>,
    local: () => Promise<StartedServer | undefined>,
  ): Promise<string> => {
    if (given !== undefined && given !== '') return given
    const server = (docker ? await inContainer().catch(() => undefined) : undefined) ?? (await local())
    if (server === undefined) throw new Error(missingServers)
    started.push(server)
    return server.url
  }
  const stop = async (): Promise<void> => {
    await Promise.all(started.map((server) => server.stop()))
  }
  const settled = await Promise.allSettled([
    one(databaseUrl, startDockerPostgres, startLocalPostgres),
    one(redisUrl, startDockerRedis, startLocalRedis),
  ])
  const [database, redis] = settled
  if (database.status === 'fulfilled' && redis.status === 'fulfilled') {
    return { databaseUrl: database.value, redisUrl: redis.value, stop }
  }
  await stop()
  throw settled.find((result) => result.status === 'rejected')?.reason
}
