/**
 * One connection to one broker. TCP, TLS and SASL are @platformatic/kafka's; requests and answers are ours (exchange.ts,
 * protocol/), as flat buffers.
 */
import { isIP } from 'node:net'
import { AuthenticationError, Connection } from '@platformatic/kafka'
import type { ConnectionOptions } from '@platformatic/kafka'
import { messageOf } from '#core'
import { logError } from '../index.ts'
import { clientName } from './client-name.ts'
import type { DriverMetrics } from './driver-metrics.ts'
import { Exchange } from './exchange.ts'
import { NoAnswer } from './no-answer.ts'
import { AnswerReader, RequestWriter, throttleMsOf } from './protocol/wire.ts'
import type { Api } from './protocol/wire.ts'

export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

const defaultTimeoutMs = 30_000

export function addressName({ host, port }: BrokerAddress): string {
  return `${host}:${port}`
}

export class BrokerConnection {
  readonly #name: string
  readonly #connection: Connection
  readonly #exchange: Exchange
  readonly #metrics: DriverMetrics | undefined
  /** What broke it. With TLS 1.3 a broker refuses our certificate only after we hold the connection for open. */
  #broken: unknown

  private constructor(
    name: string,
    connection: Connection,
    exchange: Exchange,
    metrics: DriverMetrics | undefined,
  ) {
    this.#name = name
    this.#connection = connection
    this.#exchange = exchange
    this.#metrics = metrics
    connection.on('error', (error) => {
      this.#broken = error
    })
  }

  /**
   * Errors: NoAnswer; LOG_UNAUTHORIZED when the broker refuses user or password, or when its certificate is not to be
   * trusted.
   */
  static async open(
    address: BrokerAddress,
    options: ConnectionOptions,
    metrics?: DriverMetrics,
  ): Promise<BrokerConnection> {
    const name = addressName(address)
    const connection = new Connection(clientName, {
      ...options,
      // A server's name in TLS is never an IP address (RFC 6066, 3); certificates may name one all the same.
      ...(options.tls === undefined ? {} : { tlsServerName: isIP(address.host) === 0 }),
    })
    // Every request in flight learns of it too; without a listener it would end the process.
    connection.on('error', () => undefined)
    try {
      await connection.connect(address.host, address.port)
    } catch (error) {
      metrics?.failedToConnect()
      const message = `No connection to ${name}: ${reasonOf(error)}`
      const advice = adviceOn(error)
      if (advice === undefined) throw new NoAnswer(message, false, error)
      throw unauthorized(message, advice, error)
    }
    metrics?.connected()
    connection.once('close', () => {
      metrics?.disconnected()
      // Its timer for the next renewal would go off all the same, and `close` then wait for a socket that is gone.
      void connection.close().catch(() => undefined)
    })
    const timeoutMs = options.requestTimeout ?? defaultTimeoutMs
    const exchange = new Exchange(connection.socket, { clientName, timeoutMs })
    return new BrokerConnection(name, connection, exchange, metrics)
  }

  get isOpen(): boolean {
    return this.#exchange.isOpen && this.#connection.isConnected()
  }

  /** The library proves anew who we are, at four fifths of a SASL session (KIP-368). */
  get isRenewing(): boolean {
    return this.#connection.status === 'reauthenticating'
  }

  /** Until the renewal is over, well or badly: a broker takes nothing else meanwhile. */
  async renewed(): Promise<void> {
    await this.#connection.ready().catch(() => undefined)
  }

  /**
   * Requests are answered in the order of the calls. What a request is made of must not change before its answer.
   * Errors: NoAnswer; LOG_UNAUTHORIZED as with `open`. After a time-out the connection is closed: an answer that comes
   * late is never taken for another one's, and nothing of the request is sent any more.
   */
  async request<Request, Answer>(api: Api<Request, Answer>, request: Request): Promise<Answer> {
    if (this.isRenewing) await this.renewed()
    if (!this.isOpen) throw new NoAnswer(`The connection to ${this.#name} is closed.`, false)
    const out = new RequestWriter(256)
    api.encode(out, request)
    const sentAt = this.#metrics?.now() ?? 0
    try {
      const body = await this.#exchange.send(api, out)
      this.#metrics?.answered(api.name, sentAt, throttleMsOf(api, body))
      return api.decode(new AnswerReader(body))
    } catch (error) {
      this.#metrics?.unanswered(api.name)
      const cause = this.#broken ?? error
      const reason = `${api.name} to ${this.#name} got no answer: ${reasonOf(cause)}`
      if (error instanceof RangeError) void this.close()
      const advice = adviceOn(cause)
      throw advice === undefined ? new NoAnswer(reason, true, error) : unauthorized(reason, advice, cause)
    }
  }

  async close(): Promise<void> {
    this.#exchange.abandon()
    await this.#connection.close()
  }
}

function unauthorized(message: string, advice: string, cause: unknown): Error {
  return logError('LOG_UNAUTHORIZED', `${message.replace(/\.$/, '')}. ${advice}`, { cause })
}

/** What to correct; undefined for a failure that may pass by itself. */
function adviceOn(error: unknown): string | undefined {
  if (error instanceof AuthenticationError) return 'Correct user, password and mechanism in LOG_URL.'
  if (!(error instanceof Error)) return undefined
  const { code } = error as NodeJS.ErrnoException
  if (code !== undefined && unwelcome.test(code))
    return 'The broker asks for another certificate: correct tlsCert and tlsKey in LOG_URL.'
  if (code !== undefined && untrusted.test(code))
    return 'Name the file of the CA that signed its certificate in tlsCa of LOG_URL, and the broker as the certificate does.'
  return error.cause === undefined ? undefined : adviceOn(error.cause)
}

/** Node's codes for a certificate that does not hold: OpenSSL's verification results, and a name it is not made for. */
const untrusted = /^(?:.*CERT.*|UNABLE_TO_VERIFY_LEAF_SIGNATURE|ERR_TLS_CERT_ALTNAME_INVALID)$/
/** The broker's alert on ours, or on its absence. */
const unwelcome = /^ERR_SSL_.*ALERT.*(?:CERTIFICATE|UNKNOWN_CA)/

/** The library wraps what the socket said. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  // OpenSSL ends its texts with a line end.
  return (cause === undefined ? messageOf(error) : `${messageOf(error)} ${messageOf(cause)}`).trim()
}
