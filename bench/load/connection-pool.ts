import { HttpConnection } from './connection.ts'
import type { HttpAnswer } from './connection.ts'

/**
 * As many kept connections as are in use at once, up to a limit; then a request waits for a free one. Who measures
 * counts from before, so that waiting counts too.
 */
export class ConnectionPool {
  readonly #url: string
  readonly #connectionsMax: number
  readonly #idle: HttpConnection[] = []
  readonly #all: HttpConnection[] = []
  readonly #waiting: ((connection: HttpConnection) => void)[] = []
  #opened = 0

  constructor(url: string, connectionsMax: number) {
    this.#url = url
    this.#connectionsMax = connectionsMax
  }

  async exchange(request: string): Promise<HttpAnswer> {
    const connection = await this.#take()
    const answer = await connection.exchange(request)
    const next = this.#waiting.shift()
    if (next === undefined) this.#idle.push(connection)
    else next(connection)
    return answer
  }

  close(): void {
    for (const connection of this.#all) connection.close()
  }

  async #take(): Promise<HttpConnection> {
    // In turn: one that is left idle for seconds is closed by the server.
    const idle = this.#idle.shift()
    if (idle !== undefined) return idle
    if (this.#opened === this.#connectionsMax) return new Promise((resolve) => this.#waiting.push(resolve))
    this.#opened++
    const connection = await HttpConnection.open(this.#url)
    this.#all.push(connection)
    return connection
  }
}
