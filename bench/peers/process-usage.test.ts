/** What a process has open, counted from outside. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { processFootprint } from './process-usage.ts'

it('counts connections and files of a process', async () => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const before = processFootprint(process.pid)
  const accepted = once(server, 'connection')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  await Promise.all([once(client, 'connect'), accepted])
  const after = processFootprint(process.pid)
  client.destroy()
  server.close()
  // Both ends are ours.
  expect(after.connections - before.connections).toBe(2)
  expect(after.files - before.files).toBe(2)
  expect(after.residentBytes).toBeGreaterThan(1e6)
})
