/** Java beside us on the same topics: it writes commands that we decide, and reads what we wrote; its tools know us. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { commandSerde, formatClaimId } from '#domain/coupon'
import type { CouponResult } from '#domain/coupon'
import { partitionOf } from '#log'
import { deadLetterTopic } from '#processor'
import { encode } from '#topology'
import { openCoupon, partitions } from '../../system/commands.ts'
import { readHistories } from '../../system/coupon-history.ts'
import { readTopic } from '../../system/read-topic.ts'
import { eventually } from '../../system/eventually.ts'
import { endsOf, loaded } from '../../system/settled.ts'
import { System } from '../../system/system.ts'
import { verify } from '../../system/verify.ts'
import { kafka, kafkaTools } from '../../servers/kafka/index.ts'
import { startIssuedCounts } from './java-issued-counts.ts'

const { brokers } = kafka()
const tools = kafkaTools(brokers)
/** One a partition. */
const coupons = Array.from({ length: partitions }, (_, partition) => {
  const names = Array.from({ length: 100 }, (__, at) => `coupon-${at}`)
  return names.find((name) => partitionOf(name, partitions) === partition) ?? ''
})
const codecs = ['gzip', 'snappy', 'lz4', 'zstd'] as const
/** Each codec's writer asks for every coupon, as users of its own. */
const usersPerCodec = 60
const stock = 150

let system: System
beforeAll(async () => {
  system = await System.create({ log: 'kafka' })
  await system.start()
  for (const coupon of coupons) await openCoupon(system, coupon, { stock })
})
afterAll(() => system.destroy())

/** Results of the whole log, by partition, as our own reader sees them. */
async function results(): Promise<CouponResult[]> {
  const histories = await system.withLog((log) => readHistories(log, system.topics))
  return histories.flatMap((history) => history.results)
}

it("decides commands that Java's producer wrote, compressed by each codec it has", async () => {
  const command = (couponId: string, userId: string, nonce: number): string =>
    encode(commandSerde, {
      command: 'issue',
      couponId,
      by: userId,
      nonce: nonce.toString(16).padStart(16, '0'),
      userId,
    }).toString()
  await Promise.all(
    codecs.map((codec, which) => {
      const asked = Array.from({ length: usersPerCodec }, (_, at) =>
        coupons.map((couponId, coupon) => ({
          key: couponId,
          value: command(couponId, `${codec}-${at}`, which * 65_536 + at * 16 + coupon),
        })),
      )
      return tools.produce(system.topics.issue, asked.flat(), codec)
    }),
  )
  const all = coupons.length * (1 + codecs.length * usersPerCodec)
  await eventually('all is decided', async () => (await results()).length === all)
  const decided = await results()
  for (const couponId of coupons) {
    const own = decided.filter((result) => result.couponId === couponId && result.command === 'issue')
    expect(new Set(own.map(({ partition }) => partition))).toEqual(
      new Set([partitionOf(couponId, partitions)]),
    )
    // The first 150 by offset have it, whatever codec they came by.
    const inOrder = own.toSorted((one, other) => one.offset - other.offset)
    expect(inOrder.map(({ outcome }) => outcome)).toEqual(
      inOrder.map((_, place) => (place < stock ? 'issued' : 'rejected')),
    )
    for (const codec of codecs) expect(own.filter(({ userId }) => userId.startsWith(codec))).toHaveLength(60)
  }
})

it("shows Java's read_committed consumer the results byte for byte", async () => {
  const ours = await system.withLog((log) => readTopic(log, system.topics.result))
  const count = ours.flat().length
  const theirs = await tools.consume({ topic: system.topics.result, maxMessages: count, timeoutMs: 20_000 })
  const text = (place: readonly unknown[]): string => place.join(' ')
  expect(
    theirs.map(({ partition, offset, key, value }) => text([partition, offset, key, value])).toSorted(),
  ).toEqual(
    ours
      .flatMap((records, partition) =>
        records.map(({ offset, key, value }) => text([partition, offset, key, value])),
      )
      .toSorted(),
  )
})

it('lets a Kafka Streams program count what was issued', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-counts-'))
  const program = await startIssuedCounts(system.topics.result, {
    'bootstrap.servers': brokers,
    'application.id': `counts-${system.appId}`,
    'state.dir': folder,
  })
  try {
    const expected = Object.fromEntries(coupons.map((couponId) => [couponId, stock]))
    const issued = stock * coupons.length
    let counts: Readonly<Record<string, number>> = {}
    await eventually('it has counted all', async () => {
      counts = await program.counts()
      return Object.values(counts).reduce((sum, count) => sum + count, 0) >= issued
    })
    expect(counts).toEqual(expected)
  } finally {
    await program.stop()
    rmSync(folder, { recursive: true, force: true })
  }
})

it('puts what Java wrote and we cannot read where Java can read why', async () => {
  const [key = ''] = coupons
  await tools.produce(system.topics.issue, [{ key, value: 'no command' }])
  const topic = deadLetterTopic(system.topics.issue)
  const letters = await tools.consume({ topic, maxMessages: 1, timeoutMs: 30_000 })
  expect(letters).toMatchObject([{ key, value: 'no command', partition: partitionOf(key, partitions) }])
  expect(letters[0]?.headers).toEqual(
    expect.arrayContaining([
      ['dlq-topic', system.topics.issue],
      ['dlq-partition', String(partitionOf(key, partitions))],
      ['dlq-code', 'TOPOLOGY_UNDECODABLE'],
    ]),
  )
})

it("is shown by Kafka's tools: topics with their settings, the group and its lag, transactions", async () => {
  const { issue, result, status } = system.topics
  const prefix = issue.slice(0, issue.indexOf('coupon-issue'))
  // Each tool is a JVM of its own: one describes all topics of that prefix.
  const [described, group, members, transactions, ends] = await Promise.all([
    tools.describeTopic(`${prefix}.*`),
    tools.describeGroup(system.appId),
    tools.describeGroup(system.appId, '--members', '--verbose'),
    tools.transactions('list'),
    tools.offsets(issue),
  ])
  const settingsOf = (topic: string): readonly string[] => {
    const line = described.split('\n').find((text) => text.startsWith(`Topic: ${topic}\t`)) ?? ''
    expect(line).toMatch(new RegExp(`PartitionCount: ${partitions}\\s`))
    return line.match(/Configs: (\S*)/)?.[1]?.split(',') ?? []
  }
  const changelog = `${system.appId}-coupons-changelog`
  for (const topic of [issue, result, status, changelog])
    expect(settingsOf(topic)).toContain('unclean.leader.election.enable=false')
  const kept = ['cleanup.policy=delete', 'retention.ms=-1']
  expect(settingsOf(issue)).toEqual(
    expect.arrayContaining([...kept, 'message.timestamp.type=LogAppendTime', 'max.message.bytes=1048576']),
  )
  expect(settingsOf(result)).toEqual(expect.arrayContaining(kept))
  expect(settingsOf(status)).toContain('cleanup.policy=compact')
  expect(settingsOf(changelog)).toEqual(
    expect.arrayContaining(['cleanup.policy=compact', 'delete.retention.ms=604800000']),
  )

  const rows = group
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([name]) => name === system.appId)
  expect(rows).toHaveLength(partitions)
  for (const [, topic, partition, current, end, lag, member] of rows) {
    expect([topic, Number(current), lag]).toEqual([issue, ends.get(Number(partition)), '0'])
    expect(end).toBe(current)
    expect(member).not.toBe('-')
  }
  expect(members).toContain('millrace')
  expect(members).toMatch(new RegExp(`${issue}[:(]0,1,2,3`))

  const own = transactions.split('\n').filter((line) => line.startsWith(`${system.appId}-`))
  expect(own).toHaveLength(2)
  for (const line of own) expect(line).toMatch(/CompleteCommit|CompleteAbort|Empty/)
  const id = own[0]?.split(/\s/)[0] ?? ''
  expect(await tools.transactions('describe', '--transactional-id', id)).toMatch(
    new RegExp(`${id}.*\\s10000\\s`),
  )
})

it('keeps every invariant with Java among the writers', async () => {
  const claims = (await results())
    .filter(({ command }) => command === 'issue')
    .map(({ nonce, partition, offset }) => ({
      claimId: formatClaimId({ nonce, version: system.topics.version, partition, offset }),
    }))
  // The undecodable record has an input offset, but no result.
  await loaded(system, endsOf(claims.map(({ claimId }) => claimId)))
  expect(await system.stop()).toBe(0)
  const { violations } = await verify(system, claims)
  expect(violations).toEqual([])
})
