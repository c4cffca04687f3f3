/** Stream threads that die in a process that lives: their work goes on elsewhere at once, and they are replaced. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { SeededRandom, systemClock } from '#core'
import { Processors, send } from '../chaos/processors.ts'
import type { Processor } from '../chaos/processors.ts'
import { openCoupon, partitionOfCoupon, partitions } from '../system/commands.ts'
import { Load } from '../system/load.ts'
import { checkKeys } from '../system/one-outcome.ts'
import { eventually } from '../system/eventually.ts'
import { decided, endsOf, loaded } from '../system/settled.ts'
import { System } from '../system/system.ts'
import { verify } from '../system/verify.ts'

/** One on each partition at least. */
const coupons = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth']
/** Before the group can have noticed by itself. */
const sessionMs = 6000

let system: System
let processors: Processors

beforeEach(async () => {
  system = await System.create({ log: 'kafka', apart: true })
})
afterEach(async () => {
  await processors.killAll()
  await system.destroy()
})

async function runsAll({ log }: Processor): Promise<void> {
  await eventually('it runs all tasks', async () => log.tasks.size === partitions)
}

/** How long it takes until a claim on each partition, asked for now, is decided. */
async function untilDecided(round: string): Promise<number> {
  const startedAt = performance.now()
  await Promise.all(
    coupons.map(async (coupon) => {
      const path = `/api/v1/coupons/${coupon}/claims`
      const answer = await system.http.send('POST', path, { userId: round }, { prefer: 'wait=20' })
      expect(answer.status).toBe(201)
    }),
  )
  return Math.round(performance.now() - startedAt)
}

it.each(['terminate', 'exit', 'throw'])(
  'a thread that dies (%s) under load is replaced, and its tasks do not wait for its session',
  { timeout: 300_000 },
  async (fault) => {
    expect(new Set(coupons.map(partitionOfCoupon)).size).toBe(partitions)
    processors = new Processors(system, { THREADS: '2', THREAD_FAULT: fault })
    await system.start({}, ['gateway', 'sink'])
    const processor = await processors.start('processor')
    await runsAll(processor)
    expect(new Set(processor.log.tasks.values()).size).toBe(2)
    for (const coupon of coupons) await openCoupon(system, coupon, { stock: 1e6, perUserLimit: 1000 })
    const load = new Load({ system, random: new SeededRandom(3), coupons, users: 1000, clients: 8 })
    load.start()
    const took: number[] = []
    for (const round of [1, 2]) {
      await systemClock.sleep(500)
      send(processor, 'SIGUSR2')
      await eventually('the death is noticed', async () => processor.log.replacedThreads === round)
      took.push(await untilDecided(`round-${round}`))
      await runsAll(processor)
      await eventually(
        'both threads have tasks',
        async () => new Set(processor.log.tasks.values()).size === 2,
      )
    }
    console.log(`thread death by ${fault}: all tasks decide again after ${took.join(' and ')} ms`)
    // Whoever waits for the session does so each time; a slow machine may take as long once without it.
    expect(Math.min(...took)).toBeLessThan(sessionMs)
    await load.stop()
    await load.finish()
    const claimIds = load.acknowledged.map(({ claimId }) => claimId)
    await decided(system, claimIds.slice(-20))
    await loaded(system, endsOf(claimIds))
    expect(await processors.stop(processor)).toBe(0)
    await system.stop()
    const { violations, histories } = await verify(system, load.acknowledged, processor.stateDir)
    expect(violations).toEqual([])
    expect(checkKeys(histories.flatMap(({ results }) => results))).toEqual([])
  },
)
