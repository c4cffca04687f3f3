/** The Kafka Streams peer decides what Millrace decides, byte for byte, and says when it restored and started again. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Admin } from '@platformatic/kafka'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commandSerde, couponTopics, couponTopology } from '#domain/coupon'
import type { CouponCommand, OpeningTerms } from '#domain/coupon'
import { TopologyTestDriver, bytes, encode } from '#topology'
import { startKafkaStreams } from '../../bench/peers/kafka-streams.ts'
import type { KafkaStreamsPeer } from '../../bench/peers/kafka-streams.ts'
import { kafka, kafkaTools } from '../servers/kafka/index.ts'

const { brokers, prefix } = kafka()
const topics = couponTopics({ prefix })
const tools = kafkaTools(brokers)
const admin = new Admin({ clientId: 'test', bootstrapBrokers: brokers.split(',') })
const folder = mkdtempSync(join(tmpdir(), 'millrace-peer-'))
const partitions = 2
const issues = 4000
let peer: KafkaStreamsPeer | undefined

beforeAll(async () => {
  await admin.createTopics({
    topics: [topics.issue],
    partitions,
    replicas: 1,
    configs: [{ name: 'message.timestamp.type', value: 'LogAppendTime' }],
  })
  await admin.createTopics({ topics: [topics.result, topics.status], partitions, replicas: 1 })
})
afterAll(async () => {
  await peer?.kill()
  await admin.close()
  rmSync(folder, { recursive: true })
})

const nonceOf = (index: number): string => index.toString(16).padStart(16, '0')

function terms(change: Partial<OpeningTerms>): OpeningTerms {
  const none = { name: null, startsAt: null, endsAt: null, discount: null, validUntil: null }
  return { stock: 100, perUserLimit: 1, ...none, ...change }
}

/** Coupons that sell out, that do not, of two a user, of the past, of the future; unknown ones; users who ask again. */
function* commands(): Generator<CouponCommand> {
  const open = (couponId: string, change: Partial<OpeningTerms>, index: number): CouponCommand => {
    return { command: 'open', couponId, by: 'operator', nonce: nonceOf(index), terms: terms(change) }
  }
  const discount = { amount: 500, currency: 'EUR' }
  yield open('scarce', { name: 'Scarce “50”, \\ and "quoted"', discount }, 0)
  yield open('ample', { stock: 1e12, discount: { percent: 12.5 }, validUntil: 1 }, 1)
  yield open('two-each', { stock: 700, perUserLimit: 2 }, 2)
  yield open('over', { endsAt: 1 }, 3)
  yield open('to-come', { startsAt: 4e12 }, 4)
  yield open('none', { stock: 0 }, 5)
  yield open('scarce', { name: 'Scarce “50”, \\ and "quoted"', discount }, 6)
  yield open('scarce', { stock: 101 }, 7)
  const coupons = ['scarce', 'ample', 'two-each', 'over', 'to-come', 'none', 'unknown']
  for (let index = 0; index < issues; index++) {
    // Each user comes several times to each coupon.
    const couponId = coupons[index % coupons.length] as string
    const userId = `user-${(index * 7919) % 499}`
    yield { command: 'issue', couponId, userId, by: userId, nonce: nonceOf(index) }
  }
}

/** The console's text of a record, of each partition in order of offset. */
type Texts = readonly (readonly string[])[]

async function texts(topic: string, count: number): Promise<Texts> {
  const byPartition: string[][] = Array.from({ length: partitions }, () => [])
  for (const { partition, key, value } of await tools.consume({
    topic,
    maxMessages: count,
    timeoutMs: 20_000,
  }))
    byPartition[partition]?.push(`${key} ${value}`)
  return byPartition
}

describe('the Kafka Streams peer', () => {
  it('gives the results and statuses that our topology gives', async () => {
    const all = [...commands()]
    const written = all.map((command) => ({
      key: command.couponId,
      value: Buffer.from(encode(commandSerde, command)).toString(),
    }))
    await tools.produce(topics.issue, written)
    const stateDirectory = join(folder, 'state')
    const options = { brokers, applicationId: `${prefix}peer`, topics, commitIntervalMs: 10 }
    peer = await startKafkaStreams({ ...options, stateDirectory })
    await peer.running()

    const input = await tools.consume({ topic: topics.issue, maxMessages: all.length })
    const driver = new TopologyTestDriver(couponTopology({ topics }), { partitions })
    const ours = driver.inputTopic(topics.issue, bytes, bytes)
    for (const { partition, timestamp, key, value, offset, timestampType } of input) {
      expect(timestampType).toBe('LogAppendTime')
      const piped = ours.pipe(Buffer.from(key ?? ''), Buffer.from(value ?? ''), { partition, timestamp })
      expect(piped.offset).toBe(offset)
    }
    const expected = (topic: string): { readonly texts: Texts; readonly count: number } => {
      const records = driver.outputTopic(topic, bytes, bytes).readAll()
      const byPartition: string[][] = Array.from({ length: partitions }, () => [])
      for (const { partition, key, value } of records)
        byPartition[partition]?.push(`${text(key)} ${text(value)}`)
      return { texts: byPartition, count: records.length }
    }
    const results = expected(topics.result)
    expect(results.count).toBe(all.length)
    expect(await texts(topics.result, results.count)).toEqual(results.texts)
    const statuses = expected(topics.status)
    expect(await texts(topics.status, statuses.count)).toEqual(statuses.texts)

    expect(await peer.processed()).toBe(all.length)
    const usage = peer.usage()
    expect(usage.cpuSeconds).toBeGreaterThan(0)
    expect(usage.peakBytes).toBeGreaterThan(50 * 2 ** 20)
    expect(await peer.stop()).toBe(all.length)

    // Killed with its state gone, it goes on from what it had committed.
    peer = await startKafkaStreams({
      ...options,
      stateDirectory: join(folder, 'empty'),
      settings: { 'main.consumer.session.timeout.ms': 6000 },
    })
    await peer.running()
    const restored = peer.events.filter(({ event }) => event === 'restore-end')
    expect(restored.map(({ records = 0 }) => records).reduce((sum, each) => sum + each)).toBeGreaterThan(700)
    await peer.kill()
    const before = await tools.offsets(topics.result)
    expect([...before.values()].reduce((sum, each) => sum + each)).toBeGreaterThanOrEqual(all.length)
  })
})

function text(value: Uint8Array | null): string {
  return Buffer.from(value ?? []).toString()
}
