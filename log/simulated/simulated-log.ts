import { logError } from '../index.ts'
import type {
  Appender,
  AppenderOptions,
  JoinOptions,
  Log,
  LogAdmin,
  Membership,
  Reader,
  ReaderOptions,
  TopicDescription,
  TransactorOptions,
} from '../index.ts'
import { SimulatedAdmin } from './admin.ts'
import { SimulatedAppender } from './appender.ts'
import type { SimulatedBroker } from './broker.ts'
import { SimulatedMembership } from './membership.ts'
import type { Call } from './network.ts'
import { SimulatedReader } from './reader.ts'
import type { Actor } from './scheduler.ts'
import { unknownTopic } from '../topic-settings.ts'
import { SimulatedTransactor } from './transactor.ts'

/** One client: everything it waits for belongs to its actor, and is never heard of again when that is killed. */
export class SimulatedLog implements Log {
  readonly clusterId: string
  readonly broker: SimulatedBroker
  readonly actor: Actor
  readonly admin: LogAdmin
  readonly #number: number
  readonly #topics = new Map<string, TopicDescription>()
  readonly #parts = new Set<{ close(): Promise<void> }>()
  #requests = 0
  #closing: Promise<void> | undefined

  constructor(broker: SimulatedBroker, actor: Actor, number: number) {
    this.broker = broker
    this.actor = actor
    this.clusterId = broker.clusterId
    this.#number = number
    this.admin = new SimulatedAdmin(this)
  }

  appender(options: AppenderOptions = {}): Appender {
    this.assertOpen()
    return this.#keep(new SimulatedAppender(this, options))
  }

  reader(options: ReaderOptions = {}): Reader {
    this.assertOpen()
    return this.#keep(new SimulatedReader(this, options))
  }

  async transactor(transactionalId: string, options: TransactorOptions = {}): Promise<SimulatedTransactor> {
    this.assertOpen()
    const timeoutMs = options.transactionTimeoutMs ?? 10_000
    const producer = await this.retrying({ name: 'init producer' }, () =>
      this.broker.transactions.initProducer(transactionalId, timeoutMs),
    )
    return this.#keep(new SimulatedTransactor(this, transactionalId, producer))
  }

  async join(options: JoinOptions): Promise<Membership> {
    this.assertOpen()
    const nextMemberId = (): string => `member-${this.#number}-${++this.#requests}`
    const membership = new SimulatedMembership(this, options, nextMemberId)
    await membership.join()
    this.#keep({ close: () => membership.leave() })
    return membership
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Once, without trying again. Errors: LOG_UNAVAILABLE, and the handler's. */
  call<T>(call: Call, handle: () => T | Promise<T>): Promise<T> {
    return this.broker.network.call(this.actor, call, handle)
  }

  /** Again and again while no answer comes: the handler must not mind. */
  retrying<T>(call: Call, handle: () => T | Promise<T>): Promise<T> {
    return this.broker.network.retrying(this.actor, call, handle)
  }

  /** A name for a request that is to take effect once. */
  nextRequest(): string {
    return `${this.#number}:${++this.#requests}`
  }

  /** Errors: LOG_UNKNOWN_TOPIC, LOG_UNAVAILABLE. */
  async describe(name: string): Promise<TopicDescription> {
    const known = this.#topics.get(name)
    if (known !== undefined) return known
    const found = await this.retrying({ name: 'describe topics' }, () => this.broker.topics.describe(name))
    if (found === undefined) throw unknownTopic(name)
    this.#topics.set(name, found)
    return found
  }

  forget(topic: string): void {
    this.#topics.delete(topic)
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.broker.scheduler.clock(this.actor).sleep(ms, signal)
  }

  assertOpen(): void {
    if (this.#closing !== undefined) throw logError('LOG_CLOSED', 'The log is closed. Open it again.')
  }

  #keep<P extends { close(): Promise<void> }>(part: P): P {
    this.#parts.add(part)
    return part
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#parts].map((part) => part.close()))
  }
}
