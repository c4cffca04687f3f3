/** Kafka's framing: a 4-byte size, then a header whose first fields never changed. */

/** Whole frames, sizes included, out of chunks of a stream. */
export class FrameSplitter {
  #chunks: Buffer[] = []
  #bytes = 0

  #nextSize(): number | undefined {
    if (this.#bytes < 4) return undefined
    const first = this.#chunks[0] as Buffer
    if (first.length < 4) this.#chunks = [Buffer.concat(this.#chunks)]
    return 4 + (this.#chunks[0] as Buffer).readUInt32BE(0)
  }

  /** The frames that `chunk` completes, in order. */
  *push(chunk: Buffer): Generator<Buffer> {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    for (;;) {
      const size = this.#nextSize()
      if (size === undefined || this.#bytes < size) return
      // Joined only when a frame is complete, so that a large one is copied once.
      const joined = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks)
      this.#chunks = joined.length === size ? [] : [joined.subarray(size)]
      this.#bytes -= size
      yield joined.subarray(0, size)
    }
  }
}

export interface RequestHeader {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
}

export function requestHeader(frame: Buffer): RequestHeader {
  return {
    apiKey: frame.readInt16BE(4),
    apiVersion: frame.readInt16BE(6),
    correlationId: frame.readInt32BE(8),
  }
}

export function responseCorrelationId(frame: Buffer): number {
  return frame.readInt32BE(4)
}
