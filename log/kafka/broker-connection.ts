/**
 * One connection to one broker. TCP, TLS, SASL, correlation and time-outs are @platformatic/kafka's; requests and
 * answers are ours (protocol/), as flat buffers.
 */
import { AuthenticationError, Connection, Writer } from '@platformatic/kafka'
import type { ConnectionOptions } from '@platformatic/kafka'
import { messageOf } from '#core'
import { logError } from '../index.ts'
import { clientName } from './client-name.ts'
import { NoAnswer } from './no-answer.ts'
import { AnswerReader, RequestWriter } from './protocol/wire.ts'
import type { Api } from './protocol/wire.ts'

export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

export function addressName({ host, port }: BrokerAddress): string {
  return `${host}:${port}`
}

export class BrokerConnection {
  readonly #name: string
  readonly #connection: Connection

  private constructor(name: string, connection: Connection) {
    this.#name = name
    this.#connection = connection
  }

  /** Errors: NoAnswer; LOG_UNAUTHORIZED when the broker refuses user or password. */
  static async open(address: BrokerAddress, options: ConnectionOptions): Promise<BrokerConnection> {
    const name = addressName(address)
    // Callers bound what is in flight; a queue inside would make requests that were never sent look sent.
    const connection = new Connection(clientName, { ...options, maxInflights: 1 << 20 })
    // Every request in flight learns of it too; without a listener it would end the process.
    connection.on('error', () => undefined)
    try {
      await connection.connect(address.host, address.port)
    } catch (error) {
      const message = `No connection to ${name}: ${reasonOf(error)}`
      if (!wasRefused(error)) throw new NoAnswer(message, false, error)
      const advice = 'Correct user, password and mechanism in LOG_URL.'
      throw logError('LOG_UNAUTHORIZED', `${message} ${advice}`, { cause: error })
    }
    return new BrokerConnection(name, connection)
  }

  get isOpen(): boolean {
    return this.#connection.isConnected()
  }

  /**
   * Requests are answered in the order of the calls. Errors: NoAnswer. After a time-out the connection is closed: an
   * answer that comes late is never taken for another one's.
   */
  request<Request, Answer>(api: Api<Request, Answer>, request: Request): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (!this.isOpen) return reject(new NoAnswer(`The connection to ${this.#name} is closed.`, false))
      const out = new RequestWriter(256)
      api.encode(out, request)
      this.#connection.send(
        api.key,
        api.version,
        () => {
          const payload = Writer.create()
          for (const chunk of out.chunks()) payload.append(chunk)
          return payload
        },
        (_correlationId, _key, _version, reader) =>
          api.decode(new AnswerReader(reader.buffer.slice(reader.position))),
        true,
        // The library passes over the header's tagged fields, of which brokers send none.
        api.plainAnswerHeader !== true,
        (error, answer) => {
          if (error === null) return resolve(answer as Answer)
          const reason = `${api.name} to ${this.#name} got no answer: ${reasonOf(error)}`
          if (error instanceof RangeError) void this.close()
          reject(new NoAnswer(reason, true, error))
        },
      )
    })
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }
}

function wasRefused(error: unknown): boolean {
  if (error instanceof AuthenticationError) return true
  return error instanceof Error && error.cause !== undefined && wasRefused(error.cause)
}

/** The library wraps what the socket said. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  return cause === undefined ? messageOf(error) : `${messageOf(error)} ${messageOf(cause)}`
}
