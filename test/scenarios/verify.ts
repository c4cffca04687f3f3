/** The checks that the fault tests rely on, shown to catch damage done on purpose. */
import { Redis } from 'ioredis'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { changelogKind, rocksStorage, taskDirectory } from '#state'
import { openCoupon, partitionOfCoupon } from '../system/commands.ts'
import { readTopic } from '../system/read-topic.ts'
import { endsOf, loaded } from '../system/settled.ts'
import { System } from '../system/system.ts'
import type { SystemOptions } from '../system/system.ts'
import { verify } from '../system/verify.ts'

export function damage(options: SystemOptions): void {
  let system: System
  let claimIds: string[]

  /** A run of the program that leaves nothing to complain about: one piece, two askers. */
  beforeAll(async () => {
    system = await System.create(options)
    await system.start()
    await openCoupon(system, 'one', { stock: 2 })
    const ask = async (userId: string): Promise<string> => {
      const answer = await system.http.send(
        'POST',
        '/api/v1/coupons/one/claims',
        { userId },
        { prefer: 'wait=10' },
      )
      return (answer.body as { claimId: string }).claimId
    }
    claimIds = [await ask('ann'), await ask('ann'), await ask('bob')]
    await loaded(system, endsOf(claimIds))
    await system.stop()
  })
  afterAll(() => system.destroy())

  async function violated(acknowledged: readonly string[] = claimIds): Promise<number[]> {
    const { violations } = await verify(
      system,
      acknowledged.map((claimId) => ({ claimId })),
    )
    return [...new Set(violations.map(({ invariant }) => invariant))].toSorted((a, b) => a - b)
  }

  async function sql(statement: string): Promise<void> {
    const client = new Client({ connectionString: system.databaseUrl })
    await client.connect()
    try {
      await client.query(statement)
    } finally {
      await client.end()
    }
  }

  test('an honest run has no violation', async () => {
    expect(await violated()).toEqual([])
  })

  test('an acknowledged claim that is not in the log', async () => {
    expect(await violated(['0000000000000000-1-0-77'])).toEqual([4])
  })

  test('a row that Postgres lacks, and one that it has too many', async () => {
    await sql("update coupon_issue set claim_id = 'other' where sequence = 2")
    expect(await violated()).toEqual([7])
    await sql(`update coupon_issue set claim_id = '${claimIds[2]}' where sequence = 2`)
    expect(await violated()).toEqual([])
  })

  test('a flag in Redis that no longer holds', async () => {
    const redis = new Redis(system.redisUrl)
    await redis.set('coupon:available:one', 'true')
    expect(await violated()).toEqual([7])
    await redis.set('coupon:available:one', 'false')
    redis.disconnect()
    expect(await violated()).toEqual([])
  })

  test('state that is not the fold of its changelog', async () => {
    const directory = taskDirectory(system.stateDir, system.appId, `0_${partitionOfCoupon('one')}`)
    const backend = await rocksStorage().open(directory)
    const stored = [...backend.scan({ gte: Buffer.from([1, changelogKind.data]), lt: Buffer.from([255]) })]
    const [key, value] = stored[0] as [Buffer, Buffer]
    backend.write((batch) => batch.delete(key))
    await backend.close()
    expect(await violated()).toContain(6)
    const again = await rocksStorage().open(directory)
    again.write((batch) => batch.put(key, value))
    await again.close()
    expect(await violated()).toEqual([])
  })

  test('a second result for a command', async () => {
    await system.withLog(async (log) => {
      const partition = partitionOfCoupon('one')
      const last = (await readTopic(log, system.topics.result))[partition]?.at(-1)
      const appender = log.appender()
      await appender.append({
        topic: system.topics.result,
        partition,
        key: last?.key ?? null,
        value: last?.value ?? null,
      })
      await appender.close()
    })
    expect(await violated()).toEqual(expect.arrayContaining([4, 5]))
  })
}
