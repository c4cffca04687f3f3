import type { MessagePort } from 'node:worker_threads'
import { isMillraceError, silentLogger } from '#core'
import type { Clock, Logger } from '#core'
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
  Transactor,
  TransactorOptions,
} from '../index.ts'
import { OpenParts } from '../open-parts.ts'
import { EmbeddedAppender } from './appender.ts'
import type { BrokerApi } from './broker-api.ts'
import { EmbeddedBroker } from './broker.ts'
import { EmbeddedMembership } from './membership.ts'
import { connectBroker } from './port.ts'
import { EmbeddedReader } from './reader.ts'
import { TopicDirectory } from './topic-directory.ts'
import { EmbeddedTransactor } from './transactor.ts'

export interface EmbeddedLogOptions {
  readonly clock: Clock
  readonly logger?: Logger
}

/**
 * A client of the embedded log: of the broker itself in its own thread, or of a port that `serveEmbeddedBroker`
 * serves. Closing the log closes the port, and never the broker.
 */
export async function openEmbeddedLog(
  broker: EmbeddedBroker | MessagePort,
  options: EmbeddedLogOptions,
): Promise<Log> {
  const session = broker instanceof EmbeddedBroker ? broker.session() : connectBroker(broker)
  return new EmbeddedLog(session, await session.clusterId(), options)
}

class EmbeddedLog implements Log {
  readonly clusterId: string
  readonly admin: LogAdmin
  readonly #broker: BrokerApi
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #topics: TopicDirectory
  readonly #parts = new OpenParts()
  #readers = 0
  #closing: Promise<void> | undefined

  constructor(broker: BrokerApi, clusterId: string, options: EmbeddedLogOptions) {
    this.clusterId = clusterId
    this.#broker = broker
    this.#clock = options.clock
    this.#logger = options.logger ?? silentLogger
    this.#topics = new TopicDirectory(broker)
    this.admin = adminOf(broker)
  }

  appender(options: AppenderOptions = {}): Appender {
    this.#parts.assertOpen()
    return this.#parts.add(
      new EmbeddedAppender({
        broker: this.#broker,
        topics: this.#topics,
        clock: this.#clock,
        appender: options,
        onClosed: this.#parts.forget,
      }),
    )
  }

  reader(options: ReaderOptions = {}): Reader {
    this.#parts.assertOpen()
    return this.#parts.add(
      new EmbeddedReader({
        broker: this.#broker,
        clock: this.#clock,
        fetcher: this.#readers++,
        reader: options,
        onClosed: this.#parts.forget,
      }),
    )
  }

  async transactor(transactionalId: string, options: TransactorOptions = {}): Promise<Transactor> {
    this.#parts.assertOpen()
    const timeoutMs = options.transactionTimeoutMs ?? 10_000
    const epoch = await reached(this.#broker.beginTransactor(transactionalId, timeoutMs))
    return this.#parts.add(
      new EmbeddedTransactor({
        transactionalId,
        broker: this.#broker,
        topics: this.#topics,
        epoch,
        onClosed: this.#parts.forget,
      }),
    )
  }

  async join(options: JoinOptions): Promise<Membership> {
    this.#parts.assertOpen()
    const { group, topics, instanceId } = options
    const { memberId } = await reached(this.#broker.joinGroup({ group, topics, instanceId }))
    return this.#parts.addMember(
      new EmbeddedMembership({
        broker: this.#broker,
        memberId,
        join: options,
        logger: this.#logger,
        onClosed: this.#parts.forgetMember,
      }),
    )
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#parts.close()
    // A broker that is gone has ended the session already.
    await this.#broker.close().catch(() => undefined)
  }
}

function adminOf(broker: BrokerApi): LogAdmin {
  return {
    ensureTopics: (topics) => reached(broker.ensureTopics(topics)),
    describeTopics: (names) => reached(broker.describeTopics(names)),
    deleteTopics: (names) => reached(broker.deleteTopics(names)),
    offsets: (partitions) => reached(broker.offsets(partitions)),
    deleteRecords: (before) => reached(broker.deleteRecords(before)),
    committedOffsets: (group, partitions, { requireStable }) =>
      reached(broker.committedOffsets(group, partitions, requireStable)),
    // What is prepared is kept outside of the log until its commit: nothing holds the last stable offset back.
    openTransactions: () => Promise.resolve([]),
    removeMember: (group, instanceId) => reached(broker.removeMember(group, instanceId)),
    deleteGroup: (group) => reached(broker.deleteGroup(group)),
  }
}

/** A port that closed is a log that closed. */
async function reached<T>(call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (error) {
    throw isMillraceError(error, 'RPC_CLOSED')
      ? logError('LOG_CLOSED', 'The log is closed. Open it again.', { cause: error })
      : error
  }
}
