/** A broker that asks who is there: by password, by SCRAM over TLS, by certificate. And one that is too old. */
import { connect as connectTcp, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '#core'
import { TestMember } from '../../../log/conformance/groups.ts'
import { makeCertificates } from '../../servers/kafka/certificates.ts'
import type { Certificates } from '../../servers/kafka/certificates.ts'
import type { ProxiedListener } from '../../servers/kafka/proxied-listeners.ts'
import { startKafka, startKafkaProxy } from '../../servers/kafka/index.ts'
import { runTool } from '../../servers/kafka/java-tool.ts'
import { connect, makeTopic, readValues } from './kafka-logs.ts'
import { seenMetrics } from './seen-metrics.ts'

const users = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="s3:cret";'
const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
/** What the one with SCRAM may write a second, bytes. */
const quota = 50_000
/** How long a session by password lasts; clients renew it at four fifths of it. */
const sessionMs = 6000
const saslAuthenticateKey = 36

let cluster: Awaited<ReturnType<typeof startKafka>>
let proxy: Awaited<ReturnType<typeof startKafkaProxy>>
let certificates: Certificates
const wires: Wire[] = []

interface Wire {
  readonly address: string
  close(): Promise<void>
}

/** Bytes as they are, from the port that the broker advertises to the broker: a proxy that reads frames cannot read TLS. */
async function wireTo(listener: ProxiedListener | undefined): Promise<Wire> {
  if (listener === undefined) throw new Error('there is no such listener')
  const sockets = new Set<Socket>()
  const join = (from: Socket, to: Socket): void => {
    sockets.add(from)
    from.on('error', () => from.destroy())
    from.once('close', () => {
      sockets.delete(from)
      to.destroy()
    })
    from.pipe(to)
  }
  const server = createServer((near) => {
    const far = connectTcp(listener.brokerPort, '127.0.0.1')
    join(near, far)
    join(far, near)
  })
  await new Promise<void>((resolve) => server.listen(listener.port, '127.0.0.1', resolve))
  return {
    address: `127.0.0.1:${listener.port}`,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

beforeAll(async () => {
  certificates = await makeCertificates()
  const stores = {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': certificates.keystore,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': certificates.ca,
  }
  cluster = await startKafka({
    proxies: 3,
    format: [256, 512].flatMap((digest) => [
      '--add-scram',
      `SCRAM-SHA-${digest}=[name=carol,password=s3:cret/${digest}]`,
    ]),
    properties: {
      'listener.security.protocol.map':
        'CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED0:SASL_PLAINTEXT,PROXIED1:SASL_SSL,PROXIED2:SSL',
      'listener.name.proxied0.sasl.enabled.mechanisms': 'PLAIN',
      'listener.name.proxied0.plain.sasl.jaas.config': users,
      'listener.name.proxied0.plain.connections.max.reauth.ms': sessionMs,
      'listener.name.proxied1.sasl.enabled.mechanisms': 'SCRAM-SHA-256,SCRAM-SHA-512',
      'listener.name.proxied1.scram-sha-256.sasl.jaas.config': scram,
      'listener.name.proxied1.scram-sha-512.sasl.jaas.config': scram,
      'listener.name.proxied2.ssl.client.auth': 'required',
      'quota.window.num': 2,
      ...stores,
    },
  })
  proxy = await startKafkaProxy(cluster)
  for (const [listener] of cluster.proxied.slice(1)) wires.push(await wireTo(listener))
  const carol = ['--entity-type', 'users', '--entity-name', 'carol']
  const limited = ['--alter', '--add-config', `producer_byte_rate=${quota}`]
  await runTool({
    tool: 'kafka.admin.ConfigCommand',
    parameters: ['--bootstrap-server', cluster.brokers, ...limited, ...carol],
  })
})
afterAll(async () => {
  await proxy.close()
  await cluster.stop()
  await Promise.all(wires.map((wire) => wire.close()))
  certificates.remove()
})

const overTls = (digest: number, password = `s3:cret/${digest}`, ca = certificates.ca): string => {
  const who = `carol:${encodeURIComponent(password)}`
  return `${who}@${wires[0]?.address}?sasl=scram-sha-${digest}&tls=true&tlsCa=${ca}`
}

describe('by password', () => {
  it('lets a user in', async () => {
    const log = await connect(`alice:s3%3Acret@${proxy.brokers}?sasl=plain`)
    const topic = await makeTopic(log, 'plain')
    await log.appender().append({ topic, key: null, value: 'mine' })
    expect(await readValues(log, topic)).toMatchObject([{ value: 'mine' }])
  })

  it('appends on the same connections while their sessions are renewed again and again', async () => {
    const { metrics, seen } = seenMetrics()
    const log = await connect(`alice:s3%3Acret@${proxy.brokers}?sasl=plain`, { metrics })
    const topic = await makeTopic(log, 'renewed')
    const appender = log.appender()
    const offsets: number[] = []
    const append = async (): Promise<void> => {
      const some = ['a', 'b', 'c'].map((value) => appender.append({ topic, key: null, value }))
      offsets.push(...(await Promise.all(some)).map(({ offset }) => offset))
    }
    await append()
    const open = await seen('millrace_kafka_connections')
    const proven = (): number => proxy.requests(saslAuthenticateKey)
    const enough = proven() + 2 * open
    while (proven() < enough) await append()
    expect(offsets).toEqual([...offsets.keys()])
    expect(await seen('millrace_kafka_connections')).toBe(open)
    expect(await seen('millrace_kafka_connects_total{outcome="connected"}')).toBe(open)
    await log.close()
    expect(await seen('millrace_kafka_connections')).toBe(0)
  })

  it('says at once when the password is wrong', async () => {
    const refused = connect(`alice:guess@${proxy.brokers}?sasl=plain`, { openTimeoutMs: 60_000 })
    await expect(refused).rejects.toMatchObject({ code: 'LOG_UNAUTHORIZED' })
    await expect(refused).rejects.not.toThrow(/guess/)
  })

  it('gives up on a broker that expects a user when there is none', async () => {
    await expect(connect(proxy.brokers, { openTimeoutMs: 300 })).rejects.toMatchObject({
      code: 'LOG_UNAVAILABLE',
    })
  })
})

describe('by SCRAM over TLS', () => {
  it.each([256, 512])('lets a user in, SHA-%i', async (digest) => {
    const log = await connect(overTls(digest))
    const topic = await makeTopic(log, `scram-${digest}`)
    await log.appender().append({ topic, key: null, value: 'mine' })
    expect(await readValues(log, topic)).toMatchObject([{ value: 'mine' }])
  })

  it('says at once when the password is wrong, or the certificate is not to be trusted', async () => {
    const guessed = connect(overTls(512, 'guess'), { openTimeoutMs: 60_000 })
    await expect(guessed).rejects.toMatchObject({ code: 'LOG_UNAUTHORIZED' })
    const deceived = connect(overTls(512, undefined, certificates.otherCa), { openTimeoutMs: 60_000 })
    await expect(deceived).rejects.toMatchObject({ code: 'LOG_UNAUTHORIZED' })
    await expect(deceived).rejects.toThrow(/certificate.*tlsCa of LOG_URL/)
  })

  it('has members of a group, whose heartbeats have a thread and a connection of their own', async () => {
    const log = await connect(overTls(512))
    const topic = await makeTopic(log, 'shared', 2)
    const events: string[] = []
    const first = await new TestMember('first', events).join(log, 'group', [topic])
    const second = await new TestMember('second', events).join(await connect(overTls(256)), 'group', [topic])
    const untilOwned = async (...sizes: readonly number[]): Promise<void> => {
      const own = (): string => [first, second].map(({ owned }) => owned.size).join()
      while (own() !== sizes.join()) await systemClock.sleep(5)
    }
    // The first hears of the second by a heartbeat.
    await untilOwned(1, 1)
    await second.leave()
    await untilOwned(2, 0)
    await first.leave()
    expect(events.filter((event) => event.includes('lost'))).toEqual([])
  })

  it('counts what it asked, and for how long the broker held it back', async () => {
    const { metrics, seen } = seenMetrics()
    const log = await connect(overTls(512), { metrics })
    const topic = await makeTopic(log, 'throttled')
    const appender = log.appender()
    const value = 'x'.repeat(quota)
    for (let at = 0; at < 3; at++) await appender.append({ topic, key: null, value })
    expect(await seen('millrace_kafka_requests_total{api="Produce"}')).toBe(3)
    expect(await seen('millrace_kafka_request_duration_seconds_count{api="Produce"}')).toBe(3)
    expect(await seen('millrace_kafka_throttled_seconds_total')).toBeGreaterThan(0.5)
    const open = await seen('millrace_kafka_connections')
    expect(open).toBeGreaterThan(1)
    expect(await seen('millrace_kafka_connects_total{outcome="connected"}')).toBe(open)
    await log.close()
    expect(await seen('millrace_kafka_connections')).toBe(0)
  })
})

describe('by certificate', () => {
  it('lets in whoever has one', async () => {
    const { ca, cert, key } = certificates
    const log = await connect(`${wires[1]?.address}?tlsCa=${ca}&tlsCert=${cert}&tlsKey=${key}`)
    const topic = await makeTopic(log, 'mutual')
    await log.appender().append({ topic, key: null, value: 'mine' })
    expect(await readValues(log, topic)).toMatchObject([{ value: 'mine' }])
  })

  it('says at once that it is missing', async () => {
    const opening = connect(`${wires[1]?.address}?tlsCa=${certificates.ca}`, { openTimeoutMs: 60_000 })
    await expect(opening).rejects.toMatchObject({ code: 'LOG_UNAUTHORIZED' })
    await expect(opening).rejects.toThrow(/tlsCert and tlsKey in LOG_URL/)
  })
})

describe('a broker with transactions of version 1', () => {
  it('is refused with what it needs', async () => {
    await runTool({
      tool: 'org.apache.kafka.tools.FeatureCommand',
      parameters: ['--bootstrap-server', cluster.brokers, 'downgrade', '--feature', 'transaction.version=1'],
    })
    const opening = connect(cluster.brokers)
    await expect(opening).rejects.toMatchObject({ code: 'LOG_UNSUPPORTED' })
    await expect(opening).rejects.toThrow(
      /transaction\.version at level 2 \(it is at 1; kafka-features\.sh upgrade --feature transaction\.version=2/,
    )
  })
})
