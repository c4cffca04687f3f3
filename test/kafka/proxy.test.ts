/** The proxy against a real broker, by a client that is sent to it by the broker's own metadata. */
import { Admin, apiVersionsV3, Connection, metadataV12 } from '@platformatic/kafka'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { apiKeys, kafka, startKafkaProxy } from '../servers/kafka/index.ts'

type KafkaProxy = Awaited<ReturnType<typeof startKafkaProxy>>

let proxy: KafkaProxy
let connection: Connection
const admins: Admin[] = []

beforeEach(async () => {
  proxy = await startKafkaProxy(kafka())
  connection = await connect(proxy)
})
afterEach(async () => {
  await Promise.all(admins.splice(0).map((admin) => admin.close()))
  await connection.close()
  await proxy.close()
})

async function connect(to: KafkaProxy, requestTimeout = 5000): Promise<Connection> {
  const client = new Connection('test', { requestTimeout })
  // A cut connection says so here, and by each request.
  client.on('error', () => {})
  const [host = '', port = ''] = to.brokers.split(':')
  await client.connect(host, Number(port))
  return client
}

const versions = (client = connection): Promise<{ readonly errorCode: number }> =>
  apiVersionsV3.api.async(client, 'test', '1')
const metadata = (): Promise<{ readonly brokers: readonly { readonly port: number }[] }> =>
  metadataV12.api.async(connection, [], false, false)

/** True when `answer` has not come after a round trip of another connection. */
async function pends(answer: Promise<unknown>): Promise<boolean> {
  const other = await connect(proxy)
  const first = await Promise.race([answer.then(() => 'answer'), versions(other).then(() => 'other')])
  await other.close()
  return first === 'other'
}

describe('a proxy before Kafka', () => {
  it('passes everything, counts it, and is where the broker sends its clients', async () => {
    expect((await versions()).errorCode).toBe(0)
    expect((await metadata()).brokers.map(({ port }) => `127.0.0.1:${port}`).join()).toBe(proxy.brokers)
    expect(proxy.requests(apiKeys.apiVersions)).toBe(1)
    expect(proxy.requests(apiKeys.metadata)).toBe(1)
    expect(proxy.connections).toBe(1)
    const admin = new Admin({ clientId: 'test', bootstrapBrokers: [proxy.brokers] })
    admins.push(admin)
    const topic = `${kafka().prefix}topic`
    await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 })
    expect(await admin.listTopics()).toContain(topic)
    expect(proxy.requests(apiKeys.createTopics)).toBe(1)
  })

  it('takes another listener for another proxy', async () => {
    const second = await startKafkaProxy(kafka())
    expect(second.brokers).not.toBe(proxy.brokers)
    await second.close()
  })

  it.each(['request', 'response'] as const)('holds the nth %s and what follows it', async (direction) => {
    const rule = proxy.rule({ direction, apiKey: apiKeys.metadata, nth: 2 }, 'hold')
    await metadata()
    const held = metadata()
    await rule.hit
    const behind = versions()
    expect(await pends(held)).toBe(true)
    expect(await pends(behind)).toBe(true)
    rule.release()
    await Promise.all([held, behind])
    expect(rule.hits).toBe(1)
  })

  it('delays', async () => {
    const rule = proxy.rule({ direction: 'response', apiKey: apiKeys.apiVersions }, { delayMs: 200 })
    const startedAt = performance.now()
    await versions()
    // Timers may fire a little early by this clock.
    expect(performance.now() - startedAt).toBeGreaterThan(190)
    rule.release()
  })

  it.each(['request', 'response'] as const)('swallows a %s, and passes the next', async (direction) => {
    const impatient = await connect(proxy, 300)
    proxy.rule({ direction, apiKey: apiKeys.apiVersions, nth: 1 }, 'drop')
    await expect(versions(impatient)).rejects.toThrow(/timed out/i)
    await impatient.close()
    expect((await versions()).errorCode).toBe(0)
  })

  it('swallows what a test chooses by its bytes', async () => {
    const rule = proxy.rule({ direction: 'request', where: ({ bytes }) => bytes.includes('not-this') }, 'cut')
    await versions()
    await expect(apiVersionsV3.api.async(connection, 'not-this', '1')).rejects.toThrow(/closed/i)
    expect(rule.hits).toBe(1)
  })

  it('passes a late request on although its client has given up', async () => {
    const topic = `${kafka().prefix}late`
    const patient = new Admin({ clientId: 'test', bootstrapBrokers: [kafka().brokers] })
    admins.push(patient)
    // Connecting takes time, and it has to look before the request arrives.
    await patient.listTopics()
    const impatient = new Admin({
      clientId: 'test',
      bootstrapBrokers: [proxy.brokers],
      timeout: 1000,
      requestTimeout: 1000,
      retries: 0,
    })
    admins.push(impatient)
    const rule = proxy.rule({ direction: 'request', apiKey: apiKeys.createTopics, nth: 1 }, { lateMs: 5000 })
    await expect(impatient.createTopics({ topics: [topic], partitions: 1, replicas: 1 })).rejects.toThrow()
    proxy.cut()
    expect(rule.hits).toBe(1)
    expect(await patient.listTopics()).not.toContain(topic)
    await expect.poll(() => patient.listTopics(), { timeout: 60_000 }).toContain(topic)
  })

  it('ends the connection instead of answering', async () => {
    const rule = proxy.rule({ direction: 'response', apiKey: apiKeys.metadata, nth: 1 }, 'cut')
    await expect(metadata()).rejects.toThrow(/closed/i)
    expect(rule.hits).toBe(1)
    expect(proxy.requests(apiKeys.metadata)).toBe(1)
    const again = await connect(proxy)
    expect((await versions(again)).errorCode).toBe(0)
    await again.close()
  })

  it('watches without acting', async () => {
    const rule = proxy.rule({ direction: 'request', apiKey: apiKeys.apiVersions }, 'pass')
    await versions()
    await versions()
    expect(rule.hits).toBe(2)
  })

  it('refuses connections until it is restored', async () => {
    proxy.refuse()
    await expect(versions()).rejects.toThrow(/closed|not connected/i)
    await expect(connect(proxy).then((client) => versions(client))).rejects.toThrow(/closed|connect/i)
    proxy.restore()
    const again = await connect(proxy)
    expect((await versions(again)).errorCode).toBe(0)
    await again.close()
  })

  it('cuts at moments that the seed decides', async () => {
    const cuts = proxy.cutAtRandom({ seed: 1, fromMs: 200, toMs: 400 })
    const admin = new Admin({
      clientId: 'test',
      bootstrapBrokers: [proxy.brokers],
      retries: 50,
      retryDelay: 20,
    })
    admins.push(admin)
    while (cuts.cuts < 3) expect(await admin.listTopics()).toBeInstanceOf(Array)
    cuts.stop()
    expect(proxy.requests(apiKeys.metadata)).toBeGreaterThan(0)
  })
})
