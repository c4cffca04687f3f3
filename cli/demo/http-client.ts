/** A small JSON client over a fixed number of kept connections: what the program is loaded with. */
import { Agent, request } from 'node:http'

export interface Answer {
  readonly status: number
  readonly body: unknown
}

export class HttpClient {
  readonly #agent: Agent
  readonly #base: string
  readonly connections: number

  constructor(base: string, connections: number) {
    this.#base = base
    this.connections = connections
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections })
  }

  async send(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const { status, text } = await this.#exchange(
      method,
      path,
      body === undefined ? undefined : JSON.stringify(body),
      headers,
    )
    return { status, body: text === '' ? undefined : JSON.parse(text) }
  }

  #exchange(
    method: string,
    path: string,
    body: string | undefined,
    given: Readonly<Record<string, string>>,
  ): Promise<{ readonly status: number; readonly text: string }> {
    const headers = body === undefined ? given : { ...given, 'content-type': 'application/json' }
    return new Promise((resolve, reject) => {
      const call = request(this.#base + path, { method, agent: this.#agent, headers }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
        )
      })
      call.on('error', reject)
      call.end(body)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}
