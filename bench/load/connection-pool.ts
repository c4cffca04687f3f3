import { HttpConnection } from './connection.ts'
import type { HttpAnswer } from './connection.ts'

/** As many kept connections as are in use at once. */
export class ConnectionPool {
  readonly #url: string
  readonly #idle: HttpConnection[] = []
  readonly #all: HttpConnection[] = []
  readonly #connectionsMax: number

  constructor(url: string, connectionsMax: number) {
    this.#url = url
    this.#connectionsMax = connectionsMax
  }

  /** Fails when every connection is in use: then the rate is beyond what is loaded. */
  async exchange(request: string): Promise<HttpAnswer> {
    const connection = this.#idle.pop() ?? (await this.#open())
    const answer = await connection.exchange(request)
    this.#idle.push(connection)
    return answer
  }

  close(): void {
    for (const connection of this.#all) connection.close()
  }

  async #open(): Promise<HttpConnection> {
    if (this.#all.length >= this.#connectionsMax) {
      throw new Error(`more than ${this.#connectionsMax} requests are open at once: it cannot keep up`)
    }
    const connection = await HttpConnection.open(this.#url)
    this.#all.push(connection)
    return connection
  }
}
