import { createServer } from 'node:net'
import { testWorker } from '../test-worker.ts'

/** Below Linux' and macOS' ephemeral ranges (from 32768 and 49152 on) and above most well-known services. */
const lowest = 16_000
const slots = 8
const slotPorts = 2000
/**
 * Each test worker draws from ports of its own, and the global setup from the first ones: what is
 * free now may be given to another worker, too, before its broker listens or while that broker restarts.
 */
const slot = testWorker % slots

const given = new Set<number>()

/**
 * A TCP port of the loopback that nobody listens on and that no outgoing connection is given by the system. A broker
 * that restarts needs its port back, and a client that connects again and again to a closed port of the ephemeral range
 * is some day connected to itself.
 */
export async function lastingPort(): Promise<number> {
  for (;;) {
    const port = lowest + slot * slotPorts + Math.floor(Math.random() * slotPorts)
    if (!given.has(port) && (await isFree(port))) {
      given.add(port)
      return port
    }
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
