import type { ConnectionOptions } from '@platformatic/kafka'
import { BrokerConnection, addressName } from './broker-connection.ts'
import type { BrokerAddress } from './broker-connection.ts'
import type { DriverMetrics } from './driver-metrics.ts'
import { NoAnswer } from './no-answer.ts'

/**
 * The connections of one owner, at most one a broker: a broker answers the requests of one connection in turn, so an
 * owner whose requests wait (a fetch for data) or must keep an order (appends) has connections of its own.
 */
export class Connections {
  readonly #options: ConnectionOptions
  readonly #open = new Map<string, Promise<BrokerConnection>>()
  readonly #metrics: DriverMetrics | undefined
  readonly #onClosed: () => void
  #closed = false

  constructor(options: ConnectionOptions, metrics?: DriverMetrics, onClosed: () => void = () => {}) {
    this.#options = options
    this.#metrics = metrics
    this.#onClosed = onClosed
  }

  /** The open connection, or a new one. Errors: NoAnswer, LOG_UNAUTHORIZED. */
  async to(address: BrokerAddress): Promise<BrokerConnection> {
    if (this.#closed) throw new NoAnswer('These connections are closed.', false)
    const name = addressName(address)
    const existing = this.#open.get(name)
    if (existing !== undefined) {
      const connection = await existing
      if (connection.isRenewing) await connection.renewed()
      if (connection.isOpen) return connection
      if (this.#open.get(name) === existing) this.#open.delete(name)
      void connection.close().catch(() => undefined)
      return this.to(address)
    }
    const opening = this.#connect(address)
    this.#open.set(name, opening)
    try {
      return await opening
    } catch (error) {
      if (this.#open.get(name) === opening) this.#open.delete(name)
      throw error
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#onClosed()
    const opening = [...this.#open.values()]
    this.#open.clear()
    await Promise.all(
      opening.map((connection) => connection.then((open) => open.close()).catch(() => undefined)),
    )
  }

  async #connect(address: BrokerAddress): Promise<BrokerConnection> {
    const connection = await BrokerConnection.open(address, this.#options, this.#metrics)
    if (!this.#closed) return connection
    await connection.close()
    throw new NoAnswer('These connections were closed.', false)
  }
}
