/** Which brokers a cluster says it has, in Kafka's own protocol by hand: ready before any client is tried. */
import { connect } from 'node:net'
import { FrameSplitter } from './frames.ts'

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

/** Ids of the brokers that take part. Empty while this one does not answer within `timeoutMs`. */
export function brokersAlive(port: number, timeoutMs = 1000): Promise<number[]> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const splitter = new FrameSplitter()
    const done = (ids: number[]): void => {
      socket.destroy()
      resolve(ids)
    }
    socket.setTimeout(timeoutMs, () => done([]))
    socket.once('error', () => done([]))
    socket.once('close', () => done([]))
    socket.once('connect', () => socket.write(request()))
    socket.on('data', (chunk) => {
      for (const frame of splitter.push(chunk)) done(brokerIds(frame))
    })
  })
}

/** Size, correlation id, then the array of brokers: id, host, port, rack. */
function brokerIds(frame: Buffer): number[] {
  const ids: number[] = []
  let position = 12
  const skipText = (): void => {
    position += 2 + Math.max(0, frame.readInt16BE(position))
  }
  for (let left = frame.readInt32BE(8); left > 0; left--) {
    ids.push(frame.readInt32BE(position))
    position += 4
    skipText()
    position += 4
    skipText()
  }
  return ids
}
