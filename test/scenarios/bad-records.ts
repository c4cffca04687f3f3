/** Records on `coupon-issue` that no gateway writes: set aside with their reason, and nothing else is disturbed. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { commandSerde } from '#domain/coupon'
import { deadLetterTopic } from '#processor'
import { encode } from '#topology'
import { openCoupon, partitionOfCoupon } from '../system/commands.ts'
import { readHistories } from '../system/coupon-history.ts'
import { readTopic } from '../system/read-topic.ts'
import { decided, loaded } from '../system/settled.ts'
import { System } from '../system/system.ts'
import type { SystemOptions } from '../system/system.ts'
import { verify } from '../system/verify.ts'

const couponId = 'one'
const partition = partitionOfCoupon(couponId)
const claim = (userId: string): Buffer =>
  encode(commandSerde, { command: 'issue', couponId, by: userId, nonce: '0123456789abcdef', userId })

/** Each with what its dead letter says; undefined: it is in order. */
const records: readonly (readonly [
  key: string | null,
  value: string | Buffer | null,
  code: string | undefined,
])[] = [
  [couponId, claim('ann'), undefined],
  [couponId, 'no json at all', 'TOPOLOGY_UNDECODABLE'],
  [couponId, null, 'TOPOLOGY_UNDECODABLE'],
  [null, claim('bob'), 'TOPOLOGY_UNDECODABLE'],
  [couponId, '{"command":"issue","couponId":"one","userId":7}', 'TOPOLOGY_UNDECODABLE'],
  [couponId, Buffer.from([0xff, 0xfe, 0x00]), 'TOPOLOGY_UNDECODABLE'],
  [couponId, 'x'.repeat(1_000_000), 'TOPOLOGY_UNDECODABLE'],
  ['another', claim('eve'), 'COUPON_KEY_MISMATCH'],
  [couponId, claim('dan'), undefined],
]

export function badRecords(options: SystemOptions): void {
  let system: System

  beforeAll(async () => {
    system = await System.create(options)
  })
  afterAll(() => system.destroy())

  test('are dead letters with their reason; those that can be read get a result, and the rest goes on', async () => {
    await system.start()
    await openCoupon(system, couponId, { stock: 10 })
    await system.stop()
    await system.withLog(async (log) => {
      const appender = log.appender()
      for (const [key, value] of records)
        await appender.append({ topic: system.topics.issue, partition, key, value })
      await appender.close()
    })
    await system.start()
    const { body } = await system.http.send('POST', `/api/v1/coupons/${couponId}/claims`, { userId: 'last' })
    const { claimId } = body as { claimId: string }
    await decided(system, [claimId])
    // Five results: the opening and four claims.
    await loaded(system, new Map([[partition, 5]]))
    await system.stop()

    const { letters, results } = await system.withLog(async (log) => ({
      letters: (await readTopic(log, deadLetterTopic(system.topics.issue)))[partition] ?? [],
      results: (await readHistories(log, system.topics))[partition]?.results ?? [],
    }))
    expect(letters.map(({ headers }) => headers.get('dlq-code'))).toEqual(
      records.flatMap(([, , code]) => code ?? []),
    )
    expect(letters.map(({ value }) => value?.toString('latin1') ?? null)).toEqual(
      records.filter(([, , code]) => code).map(([, value]) => value && Buffer.from(value).toString('latin1')),
    )
    expect(
      results.map(({ userId, outcome, reason }) => `${userId} ${outcome} ${reason ?? ''}`.trim()).slice(1),
    ).toEqual(['ann issued', 'eve rejected internal-error', 'dan issued', 'last issued'])
    const { violations } = await verify(system, [{ claimId }])
    expect(violations).toEqual([])
  })
}
