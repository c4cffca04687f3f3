/**
 * The stores fail one after the other under load: PostgreSQL away, Redis away, Redis flushed, PostgreSQL put back to an older
 * backup. Claims go on; each failure shows in what that store serves and nowhere else; afterwards both stores are the fold of
 * the results again.
 *
 * `STORE_AWAY_MS` sets how long a store stays away (CI: 3 s; the long form: 60000).
 */
import { Redis } from 'ioredis'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SeededRandom, systemClock } from '#core'
import { startTcpProxy } from '../servers/index.ts'
import type { TcpProxy } from '../servers/tcp-proxy.ts'
import { openCoupon } from '../system/commands.ts'
import { Load } from '../system/load.ts'
import { eventually } from '../system/eventually.ts'
import { decided, endsOf, loaded } from '../system/settled.ts'
import { System } from '../system/system.ts'
import type { SystemOptions } from '../system/system.ts'
import { verify } from '../system/verify.ts'
import { VersionWatch } from '../system/version-watch.ts'

const awayMs = Number(process.env['STORE_AWAY_MS'] ?? 3000)
const seed = Number(process.env['SEED'] ?? 1)
const coupons = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth']
/** Never sold out, and no user comes to its limit: however long the load goes on, there is something new in the stores. */
const endless = 'endless'
/** In the order in which a sink locks them. */
const tables = ['sink_offset', 'coupon', 'coupon_issue', 'claim_rejected']

export interface StoreFaultOptions extends SystemOptions {
  /** Starts one more sink on the same stores; both compete for every batch. */
  readonly secondSink?: (system: System, stores: Readonly<Record<string, string>>) => Promise<void>
}

export function storeFaults(options: StoreFaultOptions): void {
  let system: System
  let sqlWire: TcpProxy
  let redisWire: TcpProxy
  let redis: Redis

  beforeAll(async () => {
    system = await System.create(options)
    sqlWire = await startTcpProxy(system.databaseUrl)
    redisWire = await startTcpProxy(system.redisUrl)
    redis = new Redis(system.redisUrl)
  })
  afterAll(async () => {
    redis.disconnect()
    await system.destroy()
    await Promise.all([sqlWire.close(), redisWire.close()])
  })

  const status = async (path: string): Promise<number> => (await fetch(`${system.url}${path}`)).status
  /** What the process that has the sink in it says of each store; processes apart say it elsewhere. */
  const untilTold = async (told: Readonly<Record<string, boolean>>): Promise<void> => {
    if (options.apart === true) return
    await eventually(`the stores are ${JSON.stringify(told)}`, async () => {
      const { checks } = (await (await fetch(`${system.url}/readyz`)).json()) as {
        checks: Record<string, boolean>
      }
      return Object.entries(told).every(([store, follows]) => checks[store] === follows)
    })
  }
  const list = '/api/v1/users/user-1/coupons'
  const onDatabase = async <T>(work: (client: Client) => Promise<T>): Promise<T> => {
    const client = new Client({ connectionString: system.databaseUrl })
    await client.connect()
    try {
      return await work(client)
    } finally {
      await client.end()
    }
  }
  /** Every row of every table, in a few bytes each. */
  const contents = (): Promise<unknown[]> =>
    onDatabase(async (client) => {
      const told: unknown[] = []
      for (const table of tables) {
        const digest = `md5(string_agg(row::text, ' ' order by row::text))`
        const { rows } = await client.query(`select count(*)::int, ${digest} from public.${table} row`)
        told.push({ table, ...rows[0] })
      }
      return told
    })
  /** As of one moment, with the offsets that belong to the rows. */
  const backUp = (): Promise<void> =>
    onDatabase(async (client) => {
      await client.query('begin isolation level repeatable read')
      await client.query('create schema backup')
      for (const table of tables)
        await client.query(`create table backup.${table} as select * from public.${table}`)
      await client.query('commit')
    })
  const restore = (): Promise<void> =>
    onDatabase(async (client) => {
      await client.query('begin')
      for (const table of tables) await client.query(`lock table ${table} in access exclusive mode`)
      await client.query(`truncate ${tables.join(', ')}`)
      for (const table of tables)
        await client.query(`insert into public.${table} select * from backup.${table}`)
      await client.query('commit')
    })

  test(
    `stores that fail by turns are made whole again, and nothing else fails with them (SEED=${seed})`,
    { timeout: 300_000 + 3 * awayMs },
    async () => {
      const stores = { DATABASE_URL: sqlWire.url, REDIS_URL: redisWire.url }
      await system.start(stores)
      await options.secondSink?.(system, stores)
      for (const [at, coupon] of coupons.entries())
        await openCoupon(system, coupon, { stock: 10 ** (2 + (at % 4)), perUserLimit: 1 + (at % 3) })
      await openCoupon(system, endless, { stock: 10 ** 9, perUserLimit: 1000 })
      const sold = [...coupons, endless]
      const load = new Load({
        system,
        random: new SeededRandom(seed),
        coupons: sold,
        users: 5000,
        clients: 4,
      })
      const watch = new VersionWatch(system, sold)
      watch.start()
      load.start()
      await eventually('the lists work', async () => (await status(list)) === 200)
      await untilTold({ sql: true, redis: true })

      const claimsWhile = async (fault: () => Promise<void>): Promise<void> => {
        const before = load.acknowledged.length
        await fault()
        await eventually('claims go on', async () => load.acknowledged.length > before + 20)
      }
      const away = systemClock.sleep.bind(systemClock, awayMs)

      await claimsWhile(async () => {
        await watch.remember()
        sqlWire.cut()
        await eventually('the list is unavailable', async () => (await status(list)) === 503)
        await away()
        await untilTold({ sql: false, redis: true })
        expect(await status('/readyz')).toBe(200)
        sqlWire.restore()
        await eventually('the list is back', async () => (await status(list)) === 200)
        await eventually('the rows go on', () => watch.sqlAhead())
      })
      await backUp()

      await claimsWhile(async () => {
        redisWire.cut()
        await away()
        await untilTold({ sql: true, redis: false })
        // Redis serves no list.
        expect(await status(list)).toBe(200)
        redisWire.restore()
        await untilTold({ sql: true, redis: true })
      })

      await claimsWhile(async () => {
        await watch.pausing(() => redis.flushdb())
        await eventually('Redis is being filled', async () => (await redis.exists('coupon:view:first')) === 1)
      })

      await claimsWhile(async () => {
        await watch.pausing(restore)
        await eventually('the rows come again', () => watch.sqlAhead())
      })

      await load.stop()
      await load.finish()
      expect(new Set(load.statuses.keys())).toEqual(new Set([201, 202, 409]))
      const claimIds = load.acknowledged.map(({ claimId }) => claimId)
      await decided(system, claimIds.slice(-20))
      await loaded(system, endsOf(claimIds))
      expect(await watch.stop()).toEqual([])
      const filledUnderLoad = await contents()

      // At rest nothing comes that would tell a sink of it.
      await Promise.all([redis.flushdb(), restore()])
      await loaded(system, endsOf(claimIds))
      expect(await contents()).toEqual(filledUnderLoad)
      expect(await system.stop()).toBe(0)
      const { violations } = await verify(system, load.acknowledged)
      expect(violations).toEqual([])
    },
  )
}
