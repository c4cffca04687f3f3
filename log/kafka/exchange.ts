/**
 * Requests and their answers on a connected socket. The library connects, proves who we are, and does that again when
 * a session ends; what it asks for that still goes through it. Ours go around it, because it puts each request and
 * each answer together in memory of its own once more: a batch is handed to the socket from where it lies. TCP sends it
 * from there; TLS may join the pieces first.
 */
import type { Socket } from 'node:net'
import { ByteWriter, invariant, monotonicNow, systemClock } from '#core'
import type { Api, RequestWriter } from './protocol/wire.ts'

type Asked = Pick<Api<never, unknown>, 'key' | 'version' | 'plainAnswerHeader'>

interface Waiting {
  readonly plainAnswerHeader: boolean
  /** By `monotonicNow`, milliseconds. */
  readonly deadline: number
  resolve(body: Buffer): void
  reject(error: Error): void
}

/** The library counts from 1 up. */
const firstId = -0x8000_0000
/** No answer is nearly as large; what a broker says that wants TLS reads as a larger one. */
const answerBytesMax = 256 << 20
const sizeBytes = 4
const idBytes = 4
const noTags = 0

export class Exchange {
  readonly #socket: Socket
  readonly #clientName: string
  readonly #timeoutMs: number
  readonly #passOn: (bytes: Buffer) => void
  /** In the order in which they were sent, which is the order of their answers. */
  readonly #waiting = new Map<number, Waiting>()
  readonly #over = new AbortController()
  #nextId = firstId
  #isWatched = false
  /** Of the answer that is arriving. */
  #size = 0
  #sizeBytes = 0
  #answer: Buffer | undefined
  #filled = 0

  /** @param timeoutMs how long an answer may take; then the socket is destroyed, and with it what waits to be sent */
  constructor(socket: Socket, options: { readonly clientName: string; readonly timeoutMs: number }) {
    this.#socket = socket
    this.#clientName = options.clientName
    this.#timeoutMs = options.timeoutMs
    const others = socket.listeners('data')
    invariant(
      others.length === 1,
      '@platformatic/kafka no longer reads its socket by one data listener: see exchange.ts',
    )
    this.#passOn = (bytes) => {
      for (const other of others) other.call(socket, bytes)
    }
    socket.removeAllListeners('data')
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.once('close', () => {
      this.#over.abort()
      this.#answer = undefined
      this.#fail(new Error('Connection closed'))
    })
  }

  get isOpen(): boolean {
    return this.#socket.writable
  }

  /**
   * Resolves with the answer behind its header. What the request is made of must not change before.
   * Errors: "Connection closed", whatever the reason, and "Request timed out".
   */
  send(api: Asked, request: RequestWriter): Promise<Buffer> {
    const id = this.#nextId
    this.#nextId = id === -1 ? firstId : id + 1
    return new Promise((resolve, reject) => {
      const plainAnswerHeader = api.plainAnswerHeader === true
      const deadline = monotonicNow() + this.#timeoutMs
      this.#waiting.set(id, { plainAnswerHeader, deadline, resolve, reject })
      const chunks = request.chunks()
      const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
      this.#socket.cork()
      this.#socket.write(this.#header(api, id, size))
      for (const chunk of chunks) this.#socket.write(chunk)
      this.#socket.uncork()
      if (!this.#isWatched) void this.#watch()
    })
  }

  /** Ends at once what is under way: nothing of it is sent any more. */
  abandon(): void {
    if (this.#waiting.size > 0) this.#socket.destroy()
  }

  /** Request header, version 2. @param bodyBytes what follows it */
  #header({ key, version }: Asked, id: number, bodyBytes: number): Buffer {
    const header = new ByteWriter(64)
    header.u32(0)
    header.u16(key)
    header.u16(version)
    header.u32(id >>> 0)
    header.u16(Buffer.byteLength(this.#clientName))
    header.utf8(this.#clientName)
    header.u8(noTags)
    const bytes = header.view()
    bytes.writeInt32BE(bytes.length - sizeBytes + bodyBytes, 0)
    return bytes
  }

  #take(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      // By what stood before: then nothing behind it is to be trusted.
      if (this.#socket.destroyed) return
      if (this.#answer === undefined) {
        this.#size = (this.#size << 8) | (chunk[at++] as number)
        if (++this.#sizeBytes < sizeBytes) continue
        const size = this.#size
        this.#size = this.#sizeBytes = 0
        if (size < idBytes || size > answerBytesMax) {
          this.#socket.destroy(
            new Error(`An answer of ${size} bytes: this is no Kafka broker, or it asks for TLS.`),
          )
          return
        }
        if (at + size <= chunk.length) {
          this.#deliver(chunk.subarray(at, at + size))
          at += size
          continue
        }
        this.#answer = Buffer.allocUnsafeSlow(size)
        this.#filled = 0
      }
      const answer = this.#answer
      const part = Math.min(answer.length - this.#filled, chunk.length - at)
      chunk.copy(answer, this.#filled, at, at + part)
      this.#filled += part
      at += part
      if (this.#filled < answer.length) continue
      this.#answer = undefined
      this.#deliver(answer)
    }
  }

  /** @param answer from its id on */
  #deliver(answer: Buffer): void {
    const id = answer.readInt32BE(0)
    if (id >= 0) {
      const size = Buffer.alloc(sizeBytes)
      size.writeInt32BE(answer.length)
      this.#passOn(Buffer.concat([size, answer]))
      return
    }
    const waiting = this.#waiting.get(id)
    if (waiting === undefined) {
      this.#socket.destroy(new Error(`An answer to a request that was not sent: ${id}.`))
      return
    }
    this.#waiting.delete(id)
    // Brokers send no tagged fields in the header: one byte says so.
    waiting.resolve(answer.subarray(waiting.plainAnswerHeader ? idBytes : idBytes + 1))
  }

  /**
   * One timer for all: they are answered in turn, so the first one is the first to be late. It goes by a monotonic
   * time, which never leaves this class: a wall clock that is set must not end requests, nor let them wait for longer.
   */
  async #watch(): Promise<void> {
    this.#isWatched = true
    for (;;) {
      const [first] = this.#waiting.values()
      if (first === undefined || this.#over.signal.aborted) break
      const leftMs = first.deadline - monotonicNow()
      if (leftMs > 0) {
        await systemClock.sleep(leftMs, this.#over.signal)
        continue
      }
      this.#socket.destroy()
      this.#fail(new Error('Request timed out'))
    }
    this.#isWatched = false
  }

  #fail(error: Error): void {
    const failed = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const waiting of failed) waiting.reject(error)
  }
}
