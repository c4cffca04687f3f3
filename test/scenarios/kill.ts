/**
 * kill -9 at random moments under load, again and again; afterwards everything that was acknowledged is decided
 * exactly once, and every store tells the same.
 *
 * `KILLS` sets how often (CI: 5; the long form: 20 and more), `SEED` replays the same requests and pauses.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SeededRandom, systemClock } from '#core'
import { openCoupon } from '../system/commands.ts'
import { checkKeys } from '../system/one-outcome.ts'
import { Load } from '../system/load.ts'
import { decided, endsOf, loaded } from '../system/settled.ts'
import { System } from '../system/system.ts'
import type { SystemOptions } from '../system/system.ts'
import { verify } from '../system/verify.ts'

const killCount = Number(process.env['KILLS'] ?? 5)
const seed = Number(process.env['SEED'] ?? 1)

export function kills(options: SystemOptions): void {
  let system: System

  beforeAll(async () => {
    system = await System.create(options)
  })
  afterAll(() => system.destroy())

  test(
    `${killCount} kills at random moments lose nothing and double nothing (SEED=${seed})`,
    { timeout: 300_000 + killCount * 30_000 },
    async () => {
      const random = new SeededRandom(seed)
      const coupons = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth']
      const load = new Load({ system, random, coupons, users: 5000, clients: 64 })
      await system.start()
      for (const [at, coupon] of coupons.entries()) {
        // Some sell out early, some never.
        await openCoupon(system, coupon, { stock: 10 ** (2 + (at % 4)), perUserLimit: 1 + (at % 3) })
      }
      for (let kill = 0; kill < killCount; kill++) {
        load.start()
        await systemClock.sleep(random.integer(100, 1500))
        await system.kill()
        await load.stop()
        await system.start()
      }
      await load.finish()
      const claimIds = load.acknowledged.map(({ claimId }) => claimId)
      expect(claimIds.length).toBeGreaterThan(killCount * 10)
      await decided(system, claimIds.slice(-20))
      await loaded(system, endsOf(claimIds))
      expect(await system.stop()).toBe(0)

      const { violations, histories } = await verify(system, load.acknowledged)
      expect(violations).toEqual([])
      const results = histories.flatMap((history) => history.results)
      expect(results.filter(({ reason }) => reason === 'internal-error')).toEqual([])
      expect(checkKeys(results)).toEqual([])
    },
  )
}
