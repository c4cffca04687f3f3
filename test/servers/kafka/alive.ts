/** How many brokers a cluster says it has, in Kafka's own protocol by hand: ready before any client is tried. */
import { connect } from 'node:net'

const metadata = 3

/** Metadata v1 for no topic, with a null client id. */
function request(): Buffer {
  const frame = Buffer.alloc(18)
  frame.writeInt32BE(14, 0)
  frame.writeInt16BE(metadata, 4)
  frame.writeInt16BE(1, 6)
  frame.writeInt32BE(0, 8)
  frame.writeInt16BE(-1, 12)
  frame.writeInt32BE(0, 14)
  return frame
}

/** 0 while it does not answer within `timeoutMs`. */
export function brokersAlive(port: number, timeoutMs = 1000): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let received = Buffer.alloc(0)
    const done = (count: number): void => {
      socket.destroy()
      resolve(count)
    }
    socket.setTimeout(timeoutMs, () => done(0))
    socket.once('error', () => done(0))
    socket.once('close', () => done(0))
    socket.once('connect', () => socket.write(request()))
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      // Size, correlation id, then the array of brokers.
      if (received.length >= 12) done(received.readInt32BE(8))
    })
  })
}
