/** The library's real connections against a small broker, so that what exchange.ts takes for granted of them is seen. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { Connection, apiVersionsV3 } from '@platformatic/kafka'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '#core'
import type { BrokerAddress } from './broker-connection.ts'
import { Connections } from './connections.ts'
import { Exchange } from './exchange.ts'
import { apiVersions } from './protocol/api-versions.ts'
import { AnswerReader, RequestWriter } from './protocol/wire.ts'

const apiKey = { saslHandshake: 17, apiVersions: 18, saslAuthenticate: 36 } as const
const sasl = { mechanism: 'PLAIN', username: 'alice', password: 's3cret' } as const
const limits = { connectTimeout: 10_000, requestTimeout: 10_000 }

interface Broker {
  readonly address: BrokerAddress
  readonly open: ReadonlySet<Socket>
  /** Connections that ever came. */
  readonly accepted: number
  /** Sessions that began or were renewed. */
  readonly sessions: number
  /** Called before a session begins or is renewed; until it resolves the client gets no answer. */
  beforeSession: () => Promise<void>
}

/** Knows ApiVersions and SASL. Between handshake and proof it takes nothing else, as Kafka does. */
async function startBroker(sessionMs: number): Promise<Broker> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const open = new Set<Socket>()
  const seen = { accepted: 0, sessions: 0 }
  const broker: Broker = {
    address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    open,
    get accepted() {
      return seen.accepted
    },
    get sessions() {
      return seen.sessions
    },
    beforeSession: async () => {},
  }
  const answer = async (key: number, version: number): Promise<string> => {
    if (key === apiKey.saslHandshake) return '0000 00000001 0005 504c41494e'
    if (key === apiKey.saslAuthenticate) {
      await broker.beforeSession()
      seen.sessions++
      return `00 0000 00 01 ${sessionMs.toString(16).padStart(16, '0')} 00`
    }
    return version < 3 ? '0000 00000001 0024 0000 0002 00000000' : '0000 02 0024 0000 0002 00 00000000 00'
  }
  const serve = async (socket: Socket): Promise<void> => {
    let bytes = Buffer.alloc(0)
    let isProving = false
    for await (const chunk of socket) {
      bytes = Buffer.concat([bytes, chunk as Buffer])
      while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
        const key = bytes.readInt16BE(4)
        if (isProving && key !== apiKey.saslAuthenticate) return void socket.destroy()
        isProving = key === apiKey.saslHandshake
        const body = Buffer.from((await answer(key, bytes.readInt16BE(6))).replaceAll(' ', ''), 'hex')
        const size = Buffer.alloc(4)
        size.writeInt32BE(4 + body.length)
        socket.write(Buffer.concat([size, bytes.subarray(8, 12), body]))
        bytes = bytes.subarray(4 + bytes.readInt32BE(0))
      }
    }
  }
  server.on('connection', (socket) => {
    seen.accepted++
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    void serve(socket).catch(() => undefined)
  })
  onTestFinished(async () => {
    for (const socket of open) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  return broker
}

async function untilClosed(broker: Broker): Promise<void> {
  while (broker.open.size > 0) await systemClock.sleep(1)
}

test('a connection stays one over renewals of its session, and is gone once closed', async () => {
  const broker = await startBroker(100)
  const connections = new Connections({ ...limits, sasl })
  while (broker.sessions < 5) {
    const connection = await connections.to(broker.address)
    expect((await connection.request(apiVersions, undefined)).code).toBe(0)
  }
  expect(broker.accepted).toBe(1)
  await connections.close()
  await untilClosed(broker)
})

test('what is asked during a renewal is answered after it', async () => {
  const broker = await startBroker(100)
  const connections = new Connections({ ...limits, sasl })
  const held = await connections.to(broker.address)
  const renewing = Promise.withResolvers<void>()
  const proven = Promise.withResolvers<void>()
  broker.beforeSession = () => {
    renewing.resolve()
    return proven.promise
  }
  await renewing.promise
  const asked = [
    held.request(apiVersions, undefined),
    connections.to(broker.address).then((connection) => connection.request(apiVersions, undefined)),
  ]
  await systemClock.yield()
  proven.resolve()
  expect((await Promise.all(asked)).map(({ code }) => code)).toEqual([0, 0])
  expect(broker.accepted).toBe(1)
  await connections.close()
  await untilClosed(broker)
})

test('closing ends when the broker had closed and a renewal would have been due', async () => {
  const broker = await startBroker(50)
  const connections = new Connections({ ...limits, sasl })
  await connections.to(broker.address)
  for (const socket of broker.open) socket.destroy()
  await systemClock.sleep(100)
  await connections.close()
})

test('the library and we ask on one connection, and each gets its own answers', async () => {
  const broker = await startBroker(0)
  const connection = new Connection('test', { ...limits, sasl })
  await connection.connect(broker.address.host, broker.address.port)
  const exchange = new Exchange(connection.socket, { clientName: 'test', timeoutMs: 10_000 })
  const request = new RequestWriter(16)
  apiVersions.encode(request, undefined)
  const [ours, theirs] = await Promise.all([
    exchange.send(apiVersions, request),
    apiVersionsV3.api.async(connection, 'test', '1'),
  ])
  const { versions } = apiVersions.decode(new AnswerReader(ours))
  expect([...versions]).toEqual([[apiKey.saslAuthenticate, { min: 0, max: 2 }]])
  expect(theirs.apiKeys).toMatchObject([{ apiKey: apiKey.saslAuthenticate, minVersion: 0, maxVersion: 2 }])
  await connection.close()
})
