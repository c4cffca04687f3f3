/** A broker that says what a test wants: real connections to it, and nothing behind them. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { systemClock } from '#core'
import type { BrokerAddress } from '../broker-connection.ts'
import { code } from '../broker-errors.ts'
import { RequestWriter } from '../protocol/wire.ts'

/** Writes what is behind the header. */
export type Answer = (out: RequestWriter) => void

/** Instead of an answer: nothing, or the end of the connection. */
export type NoTestAnswer = 'silence' | 'cut'

/** @param key of the API asked for */
type Answers = (key: number) => Answer | NoTestAnswer

interface TestBroker {
  readonly address: BrokerAddress
  /** The API keys of all requests, in order. */
  readonly asked: readonly number[]
  /** Until so many requests with this key have come. */
  untilAsked(key: number, times: number): Promise<void>
}

export async function startTestBroker(answers: Answers): Promise<TestBroker> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const open = new Set<Socket>()
  const asked: number[] = []
  const take = (socket: Socket, key: number, id: Buffer): void => {
    asked.push(key)
    const answer = answers(key)
    if (answer === 'silence') return
    if (answer === 'cut') return void socket.destroy()
    const out = new RequestWriter(256)
    // Header version 1: no tagged fields.
    out.tags()
    answer(out)
    const body = Buffer.concat(out.chunks())
    const size = Buffer.alloc(4)
    size.writeInt32BE(id.length + body.length)
    socket.write(Buffer.concat([size, id, body]))
  }
  server.on('connection', (socket) => {
    open.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => open.delete(socket))
    let bytes = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk])
      while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
        take(socket, bytes.readInt16BE(4), Buffer.from(bytes.subarray(8, 12)))
        bytes = bytes.subarray(4 + bytes.readInt32BE(0))
      }
    })
  })
  onTestFinished(async () => {
    server.close()
    for (const socket of open) socket.destroy()
    await once(server, 'close')
  })
  return {
    address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    asked,
    async untilAsked(key, times) {
      while (asked.filter((one) => one === key).length < times) await systemClock.sleep(1)
    },
  }
}

/** To FindCoordinator. */
export function coordinatorAt(address: BrokerAddress, answered: number = code.none): Answer {
  return (out) => {
    out.i32(0)
    out.array([address], ({ host, port }) => {
      out.string('the key')
      out.i32(1)
      out.string(host)
      out.i32(port)
      out.i16(answered)
      out.string(null)
    })
    out.tags()
  }
}
