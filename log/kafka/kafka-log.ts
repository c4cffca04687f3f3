import type { ConnectionOptions } from '@platformatic/kafka'
import { silentLogger } from '#core'
import type { Clock, Logger, Metrics } from '#core'
import type {
  Appender,
  AppenderOptions,
  JoinOptions,
  Log,
  LogAdmin,
  Membership,
  Reader,
  ReaderOptions,
  Transactor,
  TransactorOptions,
} from '../index.ts'
import { OpenParts } from '../open-parts.ts'
import { KafkaAdmin } from './admin.ts'
import { KafkaAppender } from './appender.ts'
import { Cluster } from './cluster.ts'
import { DriverMetrics } from './driver-metrics.ts'
import { KafkaMembership } from './group/membership.ts'
import { parseKafkaUrl } from './kafka-url.ts'
import { KafkaReader } from './reader.ts'
import { TopicDirectory } from './topic-directory.ts'
import { KafkaTransactor } from './transactor.ts'

export interface KafkaLogOptions {
  /** `kafka://[user:password@]host:port,…[?options]`, see kafka-url.ts. */
  readonly url: string
  readonly clock: Clock
  readonly logger?: Logger
  /** Requests, retries, throttling and connections; the heartbeats' own connection is left out. Default: none. */
  readonly metrics?: Metrics
  /** How long the first broker may take to be reached, milliseconds. Default 10,000. */
  readonly openTimeoutMs?: number
  /**
   * Says that the process stops. Opening is then given up at once, with LOG_UNAVAILABLE. What an open log has under way
   * gets two seconds to end in order; after that it is ended as if the brokers were gone for good: appends and
   * transactions fail or are unknown, and all else fails with LOG_UNAVAILABLE.
   */
  readonly signal?: AbortSignal
  /** How long a record may take to be appended before its append fails, milliseconds. Default 30,000. */
  readonly deliveryTimeoutMs?: number
}

const defaultOpenTimeoutMs = 10_000
const defaultDeliveryTimeoutMs = 30_000
/** Long enough for commits and appends that are answered at all; a process has ten seconds to stop. */
const stopGraceMs = 2000

/**
 * The log on Apache Kafka 4.0 or newer with transactions version 2.
 * Errors: LOG_INVALID_REQUEST (the URL), LOG_UNAVAILABLE (no broker answers), LOG_UNSUPPORTED (names what it lacks),
 * LOG_UNAUTHORIZED.
 */
export async function openKafkaLog(options: KafkaLogOptions): Promise<Log> {
  const { bootstrap, connection, requestTimeoutMs } = parseKafkaUrl(options.url)
  const { clock, logger = silentLogger } = options
  const metrics = options.metrics === undefined ? {} : { metrics: new DriverMetrics(options.metrics, clock) }
  const cluster = new Cluster({ bootstrap, connection, clock, logger, ...metrics })
  const giveUp = (): void => void cluster.close()
  options.signal?.addEventListener('abort', giveUp)
  try {
    if (options.signal?.aborted === true) giveUp()
    await cluster.open(options.openTimeoutMs ?? defaultOpenTimeoutMs)
  } catch (error) {
    await cluster.close()
    throw error
  } finally {
    options.signal?.removeEventListener('abort', giveUp)
  }
  return new KafkaLog(cluster, connection, requestTimeoutMs, options)
}

class KafkaLog implements Log {
  readonly clusterId: string
  readonly admin: LogAdmin
  readonly #cluster: Cluster
  readonly #connection: ConnectionOptions
  readonly #topics: TopicDirectory
  readonly #requestTimeoutMs: number
  readonly #deliveryTimeoutMs: number
  readonly #parts = new OpenParts()
  readonly #closed = new AbortController()
  #closing: Promise<void> | undefined

  constructor(
    cluster: Cluster,
    connection: ConnectionOptions,
    requestTimeoutMs: number,
    options: KafkaLogOptions,
  ) {
    this.clusterId = cluster.clusterId
    this.#cluster = cluster
    this.#connection = connection
    this.#requestTimeoutMs = requestTimeoutMs
    this.#deliveryTimeoutMs = options.deliveryTimeoutMs ?? defaultDeliveryTimeoutMs
    this.#topics = new TopicDirectory(cluster)
    this.admin = new KafkaAdmin(cluster, () => this.#parts.assertOpen())
    const stops = (): void => void this.#endAfterGrace(options)
    if (options.signal?.aborted === true) stops()
    else options.signal?.addEventListener('abort', stops, { signal: this.#closed.signal })
  }

  appender(options: AppenderOptions = {}): Appender {
    this.#parts.assertOpen()
    return this.#parts.add(
      new KafkaAppender({
        cluster: this.#cluster,
        topics: this.#topics,
        appender: options,
        requestTimeoutMs: this.#requestTimeoutMs,
        deliveryTimeoutMs: this.#deliveryTimeoutMs,
        onClosed: this.#parts.forget,
      }),
    )
  }

  reader(options: ReaderOptions = {}): Reader {
    this.#parts.assertOpen()
    return this.#parts.add(
      new KafkaReader({
        cluster: this.#cluster,
        reader: options,
        onClosed: this.#parts.forget,
      }),
    )
  }

  async transactor(transactionalId: string, options: TransactorOptions = {}): Promise<Transactor> {
    this.#parts.assertOpen()
    return this.#parts.add(
      await KafkaTransactor.open({
        cluster: this.#cluster,
        topics: this.#topics,
        transactionalId,
        transactor: options,
        requestTimeoutMs: this.#requestTimeoutMs,
        onClosed: this.#parts.forget,
      }),
    )
  }

  async join(options: JoinOptions): Promise<Membership> {
    this.#parts.assertOpen()
    const membership = new KafkaMembership({
      cluster: this.#cluster,
      connection: this.#connection,
      join: options,
      onClosed: this.#parts.forgetMember,
    })
    this.#parts.addMember(membership)
    await membership.join()
    return membership
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#parts.close()
    this.#closed.abort()
    await this.#cluster.close()
  }

  async #endAfterGrace({ clock, logger = silentLogger }: KafkaLogOptions): Promise<void> {
    await clock.sleep(stopGraceMs, this.#closed.signal)
    if (this.#closed.signal.aborted) return
    logger.warn({}, 'Kafka does not answer in time for the stop: what is under way is given up')
    await this.#cluster.close()
  }
}
