import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { HttpConnection } from './connection.ts'

const request = 'POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n'

let server: Server
let url: string
beforeEach(async () => {
  server = createServer((_, response) => response.setHeader('content-length', 2).end('ok'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(() => server.close())

it('is kept for one request after another', async () => {
  const connection = await HttpConnection.open(url)
  expect(await connection.exchange(request)).toEqual({ status: 200, body: 'ok' })
  expect(await connection.exchange(request)).toEqual({ status: 200, body: 'ok' })
  connection.close()
})

it('fails at once when the server has closed it while it was idle', async () => {
  const connection = await HttpConnection.open(url)
  await connection.exchange(request)
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  await closed
  // The end of the connection arrives in a later turn.
  await new Promise((resolve) => setTimeout(resolve, 20))
  await expect(connection.exchange(request)).rejects.toThrow('the connection was closed')
})
