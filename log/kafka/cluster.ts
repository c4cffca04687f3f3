/** Who leads which partition and who coordinates what, as last heard. One for all parts of a log. */
import type { ConnectionOptions } from '@platformatic/kafka'
import type { Clock, Logger } from '#core'
import { logError } from '../index.ts'
import type { TopicPartition } from '../index.ts'
import { Backoff } from './backoff.ts'
import { brokerError, code, isCoordinatorMoved, isRetriable } from './broker-errors.ts'
import { addressName } from './broker-connection.ts'
import type { BrokerAddress } from './broker-connection.ts'
import { Connections } from './connections.ts'
import type { DriverMetrics } from './driver-metrics.ts'
import { NoAnswer, unavailable } from './no-answer.ts'
import { findCoordinator } from './protocol/find-coordinator.ts'
import type { CoordinatorType } from './protocol/find-coordinator.ts'
import { metadata } from './protocol/metadata.ts'
import type { MetadataAnswer } from './protocol/metadata.ts'
import type { Api } from './protocol/wire.ts'
import { checkBroker } from './required-apis.ts'
import { newest } from './topic-metadata.ts'
import type { TopicMetadata } from './topic-metadata.ts'

/** Waits before a topic that a broker does not know counts as unknown: news of a new one travels. */
const unknownTopicWaitsMs = [20, 100]

export class Cluster {
  readonly clock: Clock
  readonly logger: Logger
  /** How long operations that only ask and arrange are tried, milliseconds. */
  readonly patienceMs = 30_000
  readonly #bootstrap: readonly BrokerAddress[]
  /** With the time-out of requests. */
  readonly #options: ConnectionOptions
  readonly #control: Connections
  readonly metrics: DriverMetrics | undefined
  readonly #brokers = new Map<number, BrokerAddress>()
  readonly #topics = new Map<string, TopicMetadata>()
  readonly #coordinators = new Map<string, BrokerAddress>()
  readonly #refreshing = new Map<string, Promise<void>>()
  readonly #stop = new AbortController()
  /** Who hears of the stop. */
  readonly #stopped = new Set<() => void>()
  /** Index of the candidate that answered last. */
  #next = 0
  #clusterId = ''

  constructor(options: {
    readonly bootstrap: readonly BrokerAddress[]
    readonly connection: ConnectionOptions
    readonly clock: Clock
    readonly logger: Logger
    readonly metrics?: DriverMetrics
  }) {
    this.#bootstrap = options.bootstrap
    this.#options = options.connection
    this.metrics = options.metrics
    this.#control = new Connections(options.connection, options.metrics)
    this.clock = options.clock
    this.logger = options.logger
  }

  get clusterId(): string {
    return this.#clusterId
  }

  get brokers(): readonly BrokerAddress[] {
    return [...this.#brokers.values()]
  }

  get brokerCount(): number {
    return this.#brokers.size
  }

  /** Errors: LOG_UNSUPPORTED, LOG_UNAVAILABLE. */
  async open(withinMs: number): Promise<void> {
    const backoff = this.backoff(withinMs)
    for (;;) {
      try {
        const heard = await this.#askAny(async (address) => {
          const connection = await this.#control.to(address)
          await checkBroker(connection)
          return connection.request(metadata, { topics: [] })
        })
        this.#learn(heard)
        return
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error
        if (!(await backoff.wait())) {
          const tried = this.#bootstrap.map(addressName).join(', ')
          throw logError(
            'LOG_UNAVAILABLE',
            `No broker answers at ${tried}: ${error.message} Start Kafka, or correct LOG_URL.`,
            { cause: error },
          )
        }
      }
    }
  }

  get isStopped(): boolean {
    return this.#stop.signal.aborted
  }

  /** Calls `stopped` when this is closed, unless the answer is called before. */
  onStop(stopped: () => void): () => void {
    this.#stopped.add(stopped)
    return () => this.#stopped.delete(stopped)
  }

  /** Ends everything under way, of all parts: it fails with NoAnswer, and so does whatever is asked later. */
  async close(): Promise<void> {
    this.#stop.abort()
    for (const stopped of this.#stopped) stopped()
    await this.#control.close()
  }

  backoff(withinMs = this.patienceMs): Backoff {
    return new Backoff(this.clock, withinMs, this.#stop.signal, () => this.metrics?.retried())
  }

  /** Connections of the caller's own. @param waitMs how long brokers are asked to wait before they answer */
  connections(waitMs = 0): Connections {
    const requestTimeout = (this.#options.requestTimeout ?? 0) + waitMs
    const stop = (): void => void connections.close()
    const connections: Connections = new Connections({ ...this.#options, requestTimeout }, this.metrics, () =>
      this.#stopped.delete(stop),
    )
    this.#stopped.add(stop)
    if (this.isStopped) stop()
    return connections
  }

  /** The topic as last heard, or asked for now; undefined when there is none. Errors: NoAnswer and the broker's. */
  async topic(name: string): Promise<TopicMetadata | undefined> {
    const known = this.#topics.get(name)
    if (known !== undefined) return known
    await this.refresh([name])
    for (const waitMs of unknownTopicWaitsMs) {
      if (this.#topics.has(name)) break
      await this.clock.sleep(waitMs, this.#stop.signal)
      this.#next++
      await this.refresh([name])
    }
    return this.#topics.get(name)
  }

  known(name: string): TopicMetadata | undefined {
    return this.#topics.get(name)
  }

  /** Where the partition's leader is, as last heard; undefined while it has none or nothing was heard. */
  leader({ topic, partition }: TopicPartition): BrokerAddress | undefined {
    const node = this.#topics.get(topic)?.partitions[partition]?.leader
    return node === undefined ? undefined : this.#brokers.get(node)
  }

  /** Asks for these topics again; callers at the same time share one request a topic. Errors: NoAnswer. */
  async refresh(names: readonly string[]): Promise<void> {
    const missing = names.filter((name) => !this.#refreshing.has(name))
    if (missing.length > 0) {
      const asking = this.#ask(missing).finally(() => {
        for (const name of missing) this.#refreshing.delete(name)
      })
      for (const name of missing) this.#refreshing.set(name, asking)
    }
    await Promise.all(names.map(async (name) => this.#refreshing.get(name)))
  }

  /** Sends to any broker that answers. Errors: NoAnswer when none does. */
  any<Request, Answer>(api: Api<Request, Answer>, request: Request): Promise<Answer> {
    return this.#askAny(async (address) => (await this.#control.to(address)).request(api, request))
  }

  /** Sends to one broker by the connections for control. Errors: NoAnswer. */
  async to<Request, Answer>(
    address: BrokerAddress,
    api: Api<Request, Answer>,
    request: Request,
  ): Promise<Answer> {
    return (await this.#control.to(address)).request(api, request)
  }

  /** Errors: NoAnswer, also while the coordinator is being moved; LOG_UNAUTHORIZED. */
  async coordinator(type: CoordinatorType, key: string): Promise<BrokerAddress> {
    const known = this.#coordinators.get(`${type} ${key}`)
    if (known !== undefined) return known
    const found = await this.any(findCoordinator, { type, key })
    if (found === undefined || isCoordinatorMoved(found.code) || isRetriable(found.code))
      throw new NoAnswer(`The ${type} ${key} has no coordinator now.`, false)
    if (found.code !== code.none) throw brokerError(found.code, `coordinator of ${type} ${key}`)
    const address = { host: found.host, port: found.port }
    if (this.#coordinators.size >= coordinatorsMax) this.#coordinators.clear()
    this.#coordinators.set(`${type} ${key}`, address)
    return address
  }

  forgetCoordinator(type: CoordinatorType, key: string): void {
    this.#coordinators.delete(`${type} ${key}`)
  }

  async #ask(topics: readonly string[]): Promise<void> {
    this.#learn(await this.any(metadata, { topics }))
  }

  #learn({ brokers, clusterId, topics }: MetadataAnswer): void {
    if (brokers.length > 0) {
      this.#brokers.clear()
      for (const { node, host, port } of brokers) this.#brokers.set(node, { host, port })
    }
    if (clusterId !== '') this.#clusterId = clusterId
    for (const { code: topicCode, name, topicId, partitions } of topics) {
      if (topicCode === code.unknownTopicOrPartition) this.#topics.delete(name)
      if (topicCode !== code.none) continue
      this.#topics.set(name, newest(this.#topics.get(name), topicId, partitions))
    }
  }

  /** Goes round the brokers heard of, then the first addresses, which stay good when all others moved away. */
  async #askAny<T>(ask: (address: BrokerAddress) => Promise<T>): Promise<T> {
    const candidates = [...this.#brokers.values(), ...this.#bootstrap]
    let failure: unknown
    for (let tried = 0; tried < candidates.length; tried++) {
      const index = this.#next % candidates.length
      try {
        return await ask(candidates[index] as BrokerAddress)
      } catch (error) {
        if (!(error instanceof NoAnswer) || this.#stop.signal.aborted) throw error
        failure = error
        this.#next = index + 1
      }
    }
    throw failure
  }

  /** Tries until it succeeds, fails for good, or time is up. Errors: LOG_UNAVAILABLE instead of NoAnswer. */
  async patiently<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    const backoff = this.backoff()
    for (;;) {
      try {
        return await attempt()
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error
        if (!(await backoff.wait())) throw unavailable(what, error)
      }
    }
  }
}

const coordinatorsMax = 10_000
