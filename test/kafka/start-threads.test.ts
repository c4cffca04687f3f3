/** All parts in one process, on Kafka, with two stream threads. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { SeededRandom, systemClock } from '#core'
import { everyPartition } from '#log'
import { coupons, openCoupon, partitionOfCoupon, partitions } from '../system/commands.ts'
import { Load } from '../system/load.ts'
import { endsOf, loaded } from '../system/settled.ts'
import { System } from '../system/system.ts'
import { verify } from '../system/verify.ts'

let system: System
beforeEach(async () => {
  system = await System.create({ log: 'kafka' })
})
afterEach(() => system.destroy())

it('shares the partitions between its threads, and keeps every invariant over a restart', async () => {
  expect(new Set(coupons.map(partitionOfCoupon)).size).toBe(partitions)
  const acknowledged = []
  for (const life of ['first', 'second']) {
    await system.start({ THREADS: '2' })
    if (life === 'first') {
      for (const coupon of coupons) await openCoupon(system, coupon, { stock: 300, perUserLimit: 2 })
    }
    const random = new SeededRandom(7)
    const load = new Load({ system, random, coupons, users: 500, clients: 16 })
    load.start()
    await systemClock.sleep(1000)
    await load.stop()
    await load.finish()
    acknowledged.push(...load.acknowledged)
    await loaded(system, endsOf(load.acknowledged.map(({ claimId }) => claimId)))
    expect(await threadsThatCommitted()).toHaveLength(2)
    expect(await system.stop()).toBe(0)
  }
  expect(acknowledged.length).toBeGreaterThan(100)
  const { violations } = await verify(system, acknowledged)
  expect(violations).toEqual([])
})

/** A commit names whose it is beside the offset. */
async function threadsThatCommitted(): Promise<readonly string[]> {
  const { appId, topics } = system
  const inputs = everyPartition(topics.issue, partitions)
  const committed = await system.withLog(({ admin }) =>
    admin.committedOffsets(appId, inputs, { requireStable: true }),
  )
  return [...new Set(committed.map(({ metadata }) => metadata.split(';')[0] ?? ''))]
}
