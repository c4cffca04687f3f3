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
import type { KafkaStreamsOptions, KafkaStreamsPeer } from '../../bench/peers/kafka-streams.ts'
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

/** Our own topology, given the very records that the peer is given. */
class Reference {
  readonly #driver = new TopologyTestDriver(couponTopology({ topics }), { partitions })
  readonly #offsets: number[] = []
  #seen = 0

  async readTo(count: number): Promise<void> {
    const input = await tools.consume({ topic: topics.issue, maxMessages: count })
    const pipe = this.#driver.inputTopic(topics.issue, bytes, bytes)
    // Partitions come in any order, each in its own: what was seen of each before is left out by offset.
    for (const { partition, timestamp, timestampType, key, value, offset } of input) {
      expect(timestampType).toBe('LogAppendTime')
      if (offset < (this.#offsets[partition] ?? 0)) continue
      const piped = pipe.pipe(Buffer.from(key ?? ''), Buffer.from(value ?? ''), { partition, timestamp })
      expect(piped.offset).toBe(offset)
      this.#offsets[partition] = offset + 1
      this.#seen++
    }
    expect(this.#seen).toBe(count)
  }

  /** All that was written so far. */
  texts(topic: string): Texts {
    const byPartition: string[][] = Array.from({ length: partitions }, () => [])
    for (const { partition, key, value } of this.#driver.outputTopic(topic, bytes, bytes).readAll())
      byPartition[partition]?.push(`${text(key)} ${text(value)}`)
    return byPartition
  }
}

async function expectSame(reference: Reference): Promise<void> {
  for (const topic of [topics.result, topics.status]) {
    const expected = reference.texts(topic)
    const seen = await texts(topic, expected.flat().length)
    // One line, not thousands, when they differ.
    for (const [partition, lines] of expected.entries()) {
      const differs = lines.findIndex((line, at) => line !== seen[partition]?.[at])
      expect(seen[partition]?.[differs]).toBe(lines[differs])
      expect(seen[partition]).toHaveLength(lines.length)
    }
  }
}

async function produce(written: Iterable<CouponCommand>): Promise<void> {
  await tools.produce(
    topics.issue,
    Array.from(written, (command) => ({
      key: command.couponId,
      value: Buffer.from(encode(commandSerde, command)).toString(),
    })),
  )
}

describe('the Kafka Streams peer', () => {
  it('gives the results and statuses of our topology, also after a restore and after kill -9', async () => {
    const all = [...commands()]
    await produce(all)
    const options: KafkaStreamsOptions = {
      brokers,
      applicationId: `${prefix}peer`,
      work: topics,
      stateDirectory: join(folder, 'first'),
      commitIntervalMs: 10,
      settings: { 'main.consumer.session.timeout.ms': 6000 },
    }
    peer = await startKafkaStreams(options)
    await peer.running()
    const reference = new Reference()
    await reference.readTo(all.length)
    await expectSame(reference)
    expect(await peer.processed()).toBe(all.length)
    const usage = peer.usage()
    expect(usage.cpuSeconds).toBeGreaterThan(0)
    expect(usage.peakBytes).toBeGreaterThan(50 * 2 ** 20)
    expect(await peer.stop()).toBe(all.length)

    // From nothing but its changelogs.
    const elsewhere = { ...options, stateDirectory: join(folder, 'second') }
    peer = await startKafkaStreams(elsewhere)
    await peer.running()
    const restored = peer.events.filter(({ event }) => event === 'restore-end')
    expect(restored.reduce((sum, { records = 0 }) => sum + records, 0)).toBeGreaterThan(700)

    await peer.kill()
    const killedAt = Date.now()
    const more = all.slice(-400)
    await produce(more)
    peer = await startKafkaStreams(elsewhere)
    const decision = await peer.until(({ event }) => event === 'first-decision')
    expect(decision.at).toBeGreaterThan(killedAt)
    await reference.readTo(all.length + more.length)
    await expectSame(reference)
    expect(await peer.stop()).toBe(more.length)
  })
})

function text(value: Uint8Array | null): string {
  return Buffer.from(value ?? []).toString()
}
