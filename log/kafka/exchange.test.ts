import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { Exchange } from './exchange.ts'
import { RequestWriter } from './protocol/wire.ts'

const api = { key: 3, version: 12 }
const headerBytes = 4 + 2 + 2 + 4 + 2 + 'me'.length + 1

/** Both ends of a connection, the near one with a listener as the library has one. */
async function connected(): Promise<{ near: Socket; far: Socket; passedOn: Buffer[] }> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [[far]] = (await Promise.all([once(server, 'connection'), once(near, 'connect')])) as [
    [Socket],
    unknown,
  ]
  const passedOn: Buffer[] = []
  near.on('data', (bytes: Buffer) => passedOn.push(bytes))
  // Each end hears of the other one's death.
  for (const socket of [near, far]) socket.on('error', () => undefined)
  onTestFinished(async () => {
    near.destroy()
    far.destroy()
    server.close()
    await once(server, 'close')
  })
  return { near, far, passedOn }
}

function requestOf(...parts: readonly string[]): RequestWriter {
  const request = new RequestWriter(16)
  for (const part of parts) request.attach(Buffer.from(part))
  return request
}

/** An answer as a broker sends it. */
function answerOf(id: number, body: string): Buffer {
  const answer = Buffer.alloc(4 + 4 + 1 + body.length)
  answer.writeInt32BE(answer.length - 4)
  answer.writeInt32BE(id, 4)
  answer.write(body, 9)
  return answer
}

async function idsOf(far: Socket, sizes: readonly number[]): Promise<number[]> {
  const total = sizes.reduce((sum, size) => sum + size, 0)
  let bytes = Buffer.alloc(0)
  while (bytes.length < total) bytes = Buffer.concat([bytes, ...((await once(far, 'data')) as [Buffer])])
  let at = 0
  return sizes.map((size) => {
    expect(bytes.readInt32BE(at)).toBe(size - 4)
    const id = bytes.readInt32BE(at + 8)
    at += size
    return id
  })
}

test('a request goes out in one frame, with what is attached to it', async () => {
  const { near, far } = await connected()
  const exchange = new Exchange(near, { clientName: 'me', timeoutMs: 10_000 })
  const sent = exchange.send(api, requestOf('one', 'two'))
  const [frame] = (await once(far, 'data')) as [Buffer]
  expect(frame.readInt32BE(0)).toBe(frame.length - 4)
  expect(frame.subarray(4, 8)).toEqual(Buffer.from([0, 3, 0, 12]))
  expect(frame.subarray(12, headerBytes)).toEqual(Buffer.from('\0\u0002me\0'))
  expect(frame.subarray(headerBytes)).toEqual(Buffer.from('\u0004one\u0004two'))
  far.write(answerOf(frame.readInt32BE(8), 'done'))
  expect((await sent).toString()).toBe('done')
})

test('answers reach whoever asked, wherever they are cut', async () => {
  const { near, far } = await connected()
  near.setNoDelay(true)
  far.setNoDelay(true)
  const exchange = new Exchange(near, { clientName: 'me', timeoutMs: 10_000 })
  const bodies = ['', 'a', 'bc', 'x'.repeat(300)]
  const sent = bodies.map(() => exchange.send(api, requestOf()))
  const ids = await idsOf(
    far,
    bodies.map(() => headerBytes),
  )
  const answers = Buffer.concat(bodies.map((body, index) => answerOf(ids[index] as number, body)))
  for (let at = 0; at < answers.length; at += 7) {
    far.write(answers.subarray(at, at + 7))
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect((await Promise.all(sent)).map(String)).toEqual(bodies)
})

test('what the library asked for is answered to the library', async () => {
  const { near, far, passedOn } = await connected()
  const exchange = new Exchange(near, { clientName: 'me', timeoutMs: 10_000 })
  const sent = exchange.send(api, requestOf())
  const [id] = await idsOf(far, [headerBytes])
  const theirs = answerOf(1, 'for the library')
  far.write(Buffer.concat([theirs, answerOf(id as number, 'for us')]))
  expect((await sent).toString()).toBe('for us')
  expect(passedOn).toEqual([theirs])
})

test('without an answer in time the socket is gone, and with it all that waits', async () => {
  const { near } = await connected()
  const exchange = new Exchange(near, { clientName: 'me', timeoutMs: 20 })
  const sent = [exchange.send(api, requestOf()), exchange.send(api, requestOf())]
  for (const { status, reason } of (await Promise.allSettled(sent)) as PromiseRejectedResult[])
    expect([status, String(reason)]).toEqual(['rejected', 'Error: Request timed out'])
  expect(near.destroyed).toBe(true)
  expect(exchange.isOpen).toBe(false)
})

test.each([
  ['an answer to nobody', answerOf(-5, '')],
  ['what is no answer', Buffer.from('\u0015\u0003\u0003\0\u0002\u0002')],
])('%s ends the connection', async (_, bytes) => {
  const { near, far } = await connected()
  const exchange = new Exchange(near, { clientName: 'me', timeoutMs: 10_000 })
  const sent = exchange.send(api, requestOf())
  far.write(bytes)
  await expect(sent).rejects.toThrow('Connection closed')
})

test('nothing behind what ended the connection is taken for an answer', async () => {
  const { near, far } = await connected()
  const exchange = new Exchange(near, { clientName: 'me', timeoutMs: 10_000 })
  const sent = exchange.send(api, requestOf())
  const [id] = await idsOf(far, [headerBytes])
  far.write(Buffer.concat([answerOf(-5, ''), answerOf(id as number, 'late')]))
  await expect(sent).rejects.toThrow('Connection closed')
})

test('a socket that the library reads otherwise is refused', async () => {
  const { near } = await connected()
  near.on('data', () => undefined)
  expect(() => new Exchange(near, { clientName: 'me', timeoutMs: 10_000 })).toThrow(/see exchange\.ts/)
})
