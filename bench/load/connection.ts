/**
 * One kept HTTP connection, one request at a time, as cheap as Node can: the load must not cost more than what it
 * loads. Reads only answers with a Content-Length, which ours have.
 */
import { connect } from 'node:net'
import type { Socket } from 'node:net'

export interface HttpAnswer {
  readonly status: number
  readonly body: string
}

interface Waiting {
  readonly resolve: (answer: HttpAnswer) => void
  readonly reject: (error: Error) => void
}

export class HttpConnection {
  readonly #socket: Socket
  #received = ''
  #closed: Error | undefined
  #waiting: Waiting | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    // Bodies are ASCII, so characters are bytes.
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => this.#take(text))
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('the connection was closed')))
  }

  static open(url: string): Promise<HttpConnection> {
    const { hostname, port } = new URL(url)
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => {
        socket.off('error', reject)
        resolve(new HttpConnection(socket))
      })
      socket.once('error', reject)
    })
  }

  exchange(request: string): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#waiting !== undefined) {
        reject(new Error('a connection takes one request at a time'))
        return
      }
      // Nothing would tell its fate any more.
      if (this.#closed !== undefined) {
        reject(this.#closed)
        return
      }
      this.#waiting = { resolve, reject }
      this.#socket.write(request, 'latin1')
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(text: string): void {
    this.#received += text
    const headEnd = this.#received.indexOf('\r\n\r\n')
    if (headEnd < 0) return
    const head = this.#received.slice(0, headEnd)
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
    if (length === undefined) {
      this.#fail(new Error(`an answer without Content-Length: ${head}`))
      return
    }
    const end = headEnd + 4 + Number(length)
    if (this.#received.length < end) return
    const answer = { status: Number(head.slice(9, 12)), body: this.#received.slice(headEnd + 4, end) }
    this.#received = this.#received.slice(end)
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.resolve(answer)
  }

  #fail(error: Error): void {
    this.#closed ??= error
    this.#waiting?.reject(error)
    this.#waiting = undefined
  }
}
