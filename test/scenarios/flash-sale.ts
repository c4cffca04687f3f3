/** The scenarios the project was made for, over HTTP, against the real program and real stores. */
import { Redis } from 'ioredis'
import { Client } from 'pg'
import { beforeAll, afterAll, beforeEach, describe, expect, test } from 'vitest'
import { SeededRandom } from '#core'
import { everyPartition } from '#log'
import { eventually } from '../system/eventually.ts'
import { decided, endsOf, loaded } from '../system/settled.ts'
import { System } from '../system/system.ts'
import type { SystemOptions } from '../system/system.ts'
import { verify } from '../system/verify.ts'
import { backlog, openCoupon, partitionOfCoupon } from '../system/commands.ts'

interface ClaimBody {
  readonly claimId: string
  readonly status: string
  readonly sequence?: number
  readonly ahead?: number
}

const claims = (couponId: string): string => `/api/v1/coupons/${couponId}/claims`

export function flashSale(options: SystemOptions): void {
  let system: System

  beforeAll(async () => {
    system = await System.create(options)
  })
  afterAll(() => system.destroy())

  describe('a running program', () => {
    beforeEach(async () => {
      await system.stop()
      await system.start()
    })

    test('gives exactly 100 of 100 to the first distinct users under 10,000 concurrent requests', async () => {
      await openCoupon(system, 'hundred', { stock: 100 })
      const random = new SeededRandom(100)
      // 3,000 users for 10,000 requests: most ask more than once.
      const users = Array.from({ length: 10_000 }, () => `user-${random.integer(0, 3000)}`)
      const answers = await Promise.all(
        users.map((userId) => system.http.send('POST', claims('hundred'), { userId })),
      )
      const accepted = answers.filter(({ status }) => status === 202).map(({ body }) => body as ClaimBody)
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202, 409]))
      expect(accepted.length).toBeGreaterThanOrEqual(100)
      const claimIds = accepted.map(({ claimId }) => claimId)
      await decided(system, claimIds.slice(-1))
      await loaded(system, endsOf(claimIds))

      const coupon = await system.http.send('GET', '/api/v1/coupons/hundred')
      expect(coupon.body).toMatchObject({ state: 'sold-out', stock: 100, issued: 100, remaining: 0 })
      await system.stop()
      const { violations, histories } = await verify(system, accepted)
      expect(violations).toEqual([])
      const results = histories
        .flatMap((history) => history.results)
        .filter(({ couponId }) => couponId === 'hundred')
      const issued = results.filter(({ outcome }) => outcome === 'issued')
      expect(issued.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 100 }, (_, at) => at + 1))
      const askers = results.filter(({ command }) => command === 'issue').map(({ userId }) => userId)
      expect(issued.map(({ userId }) => userId)).toEqual([...new Set(askers)].slice(0, 100))
    })

    test('brings a claim from the request to a row in Postgres, and the last piece to Redis', async () => {
      await openCoupon(system, 'single', { stock: 1 })
      const redis = new Redis(system.redisUrl)
      const client = new Client({ connectionString: system.databaseUrl })
      await client.connect()
      try {
        await eventually(
          'the coupon is available',
          async () => (await redis.get('coupon:available:single')) === 'true',
        )
        const asked = await system.http.send('POST', claims('single'), { userId: 'ann' })
        expect(asked.status).toBe(202)
        const { claimId } = asked.body as ClaimBody
        await decided(system, [claimId])
        const polled = await system.http.send('GET', `/api/v1/claims/${claimId}`)
        expect(polled.body).toMatchObject({
          status: 'issued',
          userId: 'ann',
          couponId: 'single',
          sequence: 1,
        })
        await eventually(
          'the coupon is not available',
          async () => (await redis.get('coupon:available:single')) === 'false',
        )
        // Redis follows behind Postgres, so the row is there already.
        const { rows } = await client.query(
          'select user_id, sequence::int from coupon_issue where claim_id = $1',
          [claimId],
        )
        expect(rows).toEqual([{ user_id: 'ann', sequence: 1 }])
      } finally {
        redis.disconnect()
        await client.end()
      }
    })

    test('after the sell-out a request without a key reaches neither the log nor the database', async () => {
      await openCoupon(system, 'gone', { stock: 1 })
      const first = await system.http.send('POST', claims('gone'), { userId: 'ann' }, { prefer: 'wait=10' })
      expect(first.status).toBe(201)
      await eventually('the gate is closed', async () => {
        const { body } = await system.http.send('GET', '/api/v1/coupons/gone')
        return (body as { state: string }).state === 'sold-out'
      })
      await loaded(system, endsOf([(first.body as ClaimBody).claimId]))
      await system.stop()
      const before = await footprint(system)
      await system.start()
      const late = await Promise.all(
        Array.from({ length: 500 }, (_, at) =>
          system.http.send('POST', claims('gone'), { userId: `late-${at}` }),
        ),
      )
      for (const { status, body } of late) {
        expect(status).toBe(409)
        expect(body).toMatchObject({ code: 'sold-out' })
      }
      await system.stop()
      expect(await footprint(system)).toEqual(before)
    })
  })

  test('a hot coupon does not delay another partition', async () => {
    await system.stop()
    await system.start()
    const hot = 'hot'
    const cold = Array.from({ length: 100 }, (_, at) => `cold-${at}`).find(
      (id) => partitionOfCoupon(id) !== partitionOfCoupon(hot),
    ) as string
    await openCoupon(system, hot, { stock: 1000 })
    await openCoupon(system, cold, { stock: 1000 })
    await system.stop()
    const last = await backlog(system, hot, 150_000)
    // Where that is possible, it is asked before anything can be decided.
    await system.start({}, options.apart === true ? ['gateway'] : undefined)
    const ask = async (): Promise<void> => {
      const answer = await system.http.send('POST', claims(cold), { userId: 'ann' }, { prefer: 'wait=30' })
      // 202 where the processor takes longer to start.
      expect([201, 202]).toContain(answer.status)
      await decided(system, [(answer.body as ClaimBody).claimId])
      const behind = await system.http.send('GET', `/api/v1/claims/${last}`)
      expect(behind.body).toMatchObject({ status: 'pending' })
      expect((behind.body as ClaimBody).ahead).toBeGreaterThan(0)
    }
    const rest = options.apart === true ? system.start({}, ['processor', 'sink']) : undefined
    await Promise.all([ask(), rest])
    await decided(system, [last])
  })
}

/** What the log and the database hold of claims. */
async function footprint(system: System): Promise<unknown> {
  const ends = await system.withLog(async (log) => {
    const { issue } = system.topics
    const { partitions = 0 } = (await log.admin.describeTopics([issue])).get(issue) ?? {}
    return log.admin.offsets(everyPartition(issue, partitions))
  })
  const client = new Client({ connectionString: system.databaseUrl })
  await client.connect()
  try {
    const { rows } = await client.query(
      'select (select count(*) from coupon_issue) as issued, (select count(*) from claim_rejected) as rejected',
    )
    return { ends: ends.map(({ highWatermark }) => highWatermark), rows }
  } finally {
    await client.end()
  }
}
