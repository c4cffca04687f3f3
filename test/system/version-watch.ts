/** Looks at both stores again and again: no coupon's version may ever go back, nor may the position of the rows. */
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
  /** The greatest version seen, by store and coupon, and how far the rows are in each partition. */
  readonly #seen = new Map<string, number>()
  /** What of it the SQL database had when it was remembered. */
  #before: readonly (readonly [string, number])[] = []
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
    await this.remember()
    await change()
    this.#seen.clear()
    this.start()
  }

  /** What `sqlAhead` compares with from now on. */
  async remember(): Promise<void> {
    await this.#lookAtSql()
    this.#before = [...this.#seen].filter(([name]) => name.startsWith('sql'))
  }

  /** Whether the SQL database has each thing again that it had, and results that came later. */
  sqlAhead(): boolean {
    const gained = this.#before.map(([name, before]) => (this.#seen.get(name) ?? 0) - before)
    return gained.every((more) => more >= 0) && gained.some((more) => more > 0)
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
      await this.#lookAtSql()
      for (const coupon of this.#coupons) {
        const version = await this.#redis.hget(`coupon:view:${coupon}`, 'version')
        if (version !== null) this.#look('redis', coupon, Number(version))
      }
      await systemClock.sleep(everyMs)
    }
  }

  async #lookAtSql(): Promise<void> {
    const made = await this.#client.query<{ table: string | null }>("select to_regclass('coupon') as table")
    if (made.rows[0]?.table === null) return
    const { rows } = await this.#client.query<{ name: string; at: string }>(
      `select coupon_id as name, version::text as at from coupon
       union all select 'partition ' || partition, next_offset::text from sink_offset`,
    )
    for (const { name, at } of rows) this.#look('sql', name, Number(at))
  }

  #look(store: string, what: string, at: number): void {
    const name = `${store} ${what}`
    const before = this.#seen.get(name) ?? 0
    if (at < before) this.#violations.push(`${name} went back from ${before} to ${at}`)
    this.#seen.set(name, Math.max(before, at))
  }
}
