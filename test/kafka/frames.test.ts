import { describe, expect, it } from 'vitest'
import { SeededRandom } from '#core'
import { FrameSplitter } from '../servers/kafka/frames.ts'

function frameOf(bytes: number, fill: number): Buffer {
  const frame = Buffer.alloc(4 + bytes, fill)
  frame.writeUInt32BE(bytes, 0)
  return frame
}

describe('frames out of a stream', () => {
  it('are whole and in order, wherever the chunks end', () => {
    const random = new SeededRandom(7)
    const frames = Array.from({ length: 200 }, (_, at) => frameOf(random.integer(0, 40), at % 256))
    const stream = Buffer.concat(frames)
    const splitter = new FrameSplitter()
    const seen: Buffer[] = []
    for (let from = 0; from < stream.length;) {
      const to = from + random.integer(1, 60)
      seen.push(...splitter.push(stream.subarray(from, to)))
      from = to
    }
    expect(seen).toEqual(frames)
  })

  it('may come a byte at a time', () => {
    const splitter = new FrameSplitter()
    const frames = [frameOf(3, 1), frameOf(0, 0), frameOf(5, 2)]
    const seen: Buffer[] = []
    for (const byte of Buffer.concat(frames)) seen.push(...splitter.push(Buffer.from([byte])))
    expect(seen).toEqual(frames)
  })
})
