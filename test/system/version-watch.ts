/** Looks at both stores again and again: no coupon's version may ever go back. */
import { Redis } from 'ioredis'
import { Client } from 'pg'
import { systemClock } from '#core'
import type { System } from './system.ts'

const everyMs = 20

export class VersionWatch {
  readonly #coupons: readonly string[]
  readonly #client: Client
  readonly #redis: Redis
  readonly #violations: string[] = []
  /** The greatest version seen, by store and coupon. */
  readonly #seen = new Map<string, number>()
  /** What the SQL database had before it was changed by the test. */
  #before = 0
  #running: Promise<void> | undefined
  #looking = false

  constructor(system: System, coupons: readonly string[]) {
    this.#coupons = coupons
    this.#client = new Client({ connectionString: system.databaseUrl })
    this.#redis = new Redis(system.redisUrl)
  }

  start(): void {
    this.#running = this.#run()
  }

  /** The test itself sets a store back: what was seen before does not count any more. */
  async pausing(change: () => Promise<unknown>): Promise<void> {
    await this.#halt()
    this.#before = await this.#sqlVersions()
    await change()
    this.#seen.clear()
    this.start()
  }

  /** The SQL database has all again that it had before the last change, and more. */
  async sqlAhead(): Promise<boolean> {
    let sum = 0
    for (const [name, version] of this.#seen) if (name.startsWith('sql')) sum += version
    return sum > this.#before
  }

  /** What went back, in words. */
  async stop(): Promise<readonly string[]> {
    await this.#halt()
    this.#redis.disconnect()
    await this.#client.end()
    return this.#violations
  }

  async #halt(): Promise<void> {
    this.#looking = false
    await this.#running
  }

  async #run(): Promise<void> {
    if (this.#seen.size === 0 && this.#running === undefined) await this.#client.connect()
    this.#looking = true
    while (this.#looking) {
      await this.#sqlVersions()
      for (const coupon of this.#coupons) {
        const version = await this.#redis.hget(`coupon:view:${coupon}`, 'version')
        if (version !== null) this.#look('redis', coupon, Number(version))
      }
      await systemClock.sleep(everyMs)
    }
  }

  /** The sum of all coupons' versions. */
  async #sqlVersions(): Promise<number> {
    const made = await this.#client.query<{ table: string | null }>("select to_regclass('coupon') as table")
    if (made.rows[0]?.table === null) return 0
    const { rows } = await this.#client.query<{ id: string; version: string }>(
      'select coupon_id as id, version::text from coupon',
    )
    for (const { id, version } of rows) this.#look('sql', id, Number(version))
    return rows.reduce((sum, { version }) => sum + Number(version), 0)
  }

  #look(store: string, coupon: string, version: number): void {
    const name = `${store} ${coupon}`
    const before = this.#seen.get(name) ?? 0
    if (version < before) this.#violations.push(`${name} went back from ${before} to ${version}`)
    this.#seen.set(name, Math.max(before, version))
  }
}
