/** PostgreSQL and Redis for the benchmarks that need them: started at the first use, gone with the run. */
import { databaseOn, redisOn } from '../../test/servers/fresh.ts'
import { startServers } from '../../test/servers/start.ts'
import type { TestServers } from '../../test/servers/start.ts'

export class Servers {
  #starting: Promise<TestServers> | undefined

  /** The URL of an empty database. */
  async postgres(): Promise<string> {
    const { databaseUrl } = await this.#started()
    return (await databaseOn(databaseUrl)).url
  }

  /** The URL of an empty Redis database. */
  async redis(): Promise<string> {
    const { redisUrl } = await this.#started()
    return (await redisOn(redisUrl)).url
  }

  async stop(): Promise<void> {
    const servers = await this.#starting?.catch(() => undefined)
    await servers?.stop()
  }

  #started(): Promise<TestServers> {
    return (this.#starting ??= startServers())
  }
}
