import { randomUUID } from 'node:crypto'
import { RocksDatabase, isMillraceError, noMetrics, silentLogger } from '#core'
import type { Clock, Logger, Metrics } from '#core'
import { logError } from '../index.ts'
import type { BrokerApi } from './broker-api.ts'
import { CommittedOffsets } from './committed-offsets.ts'
import { Fetcher } from './fetcher.ts'
import { GroupCommit } from './group-commit.ts'
import { GroupCoordinator } from './group-coordinator.ts'
import { clusterKey } from './keys.ts'
import { Maintenance } from './maintenance.ts'
import { Retention } from './retention.ts'
import { BrokerSession } from './session.ts'
import { TailCache } from './tail-cache.ts'
import { TopicRegistry } from './topic-registry.ts'
import { TransactionCoordinator } from './transaction-coordinator.ts'

const formatVersion = 1

export interface EmbeddedBrokerOptions {
  /** Directory of the database; created when missing. */
  readonly dir: string
  readonly clock: Clock
  readonly logger?: Logger
  readonly metrics?: Metrics
  /** Newest batches kept in memory for followers, bytes. Default 64 MiB. */
  readonly tailCacheBytes?: number
  /** RocksDB's memory for unflushed writes, bytes. Default 64 MiB. */
  readonly memtableBytes?: number
  /** RocksDB's block cache, bytes. Default 32 MiB. */
  readonly blockCacheBytes?: number
  /** Compaction waits until a partition has so many uncompacted bytes (and more than compacted ones). Default 16 MiB. */
  readonly compactionBytesMin?: number
  /** How often retention by time is applied, milliseconds. Default 60,000. */
  readonly maintenanceIntervalMs?: number
  /** How long a read of stable offsets waits for an undecided transaction, milliseconds. Default 5,000. */
  readonly stableWaitMs?: number
}

/** What sessions work with. */
export interface BrokerParts {
  readonly clusterId: string
  readonly commit: GroupCommit
  readonly topics: TopicRegistry
  readonly offsets: CommittedOffsets
  readonly transactions: TransactionCoordinator
  readonly groups: GroupCoordinator
  readonly fetcher: Fetcher
  readonly retention: Retention
}

/**
 * The embedded log's broker: one RocksDB database, owned by the thread that opens it. Its reads and writes block that
 * thread, its fsyncs do not. Close it in that thread before the thread ends.
 */
export class EmbeddedBroker {
  readonly clusterId: string
  readonly #database: RocksDatabase
  readonly #parts: BrokerParts
  readonly #maintenance: Maintenance
  readonly #sessions = new Set<BrokerSession>()
  #closing: Promise<void> | undefined

  private constructor(database: RocksDatabase, parts: BrokerParts, maintenance: Maintenance) {
    this.clusterId = parts.clusterId
    this.#database = database
    this.#parts = parts
    this.#maintenance = maintenance
  }

  /**
   * Errors: LOG_IN_USE (another process, or another handle of this one), LOG_CORRUPT, DIRECTORY_FAILED (the directory
   * cannot be made), ROCKSDB_FAILED (it cannot be used: a full disk, a missing right).
   */
  static async open(options: EmbeddedBrokerOptions): Promise<EmbeddedBroker> {
    const { clock, logger = silentLogger, metrics = noMetrics } = options
    const database = await openDatabase(options)
    try {
      const clusterId = identify(database, options.dir)
      const tails = new TailCache(options.tailCacheBytes ?? 64 << 20)
      const commit = new GroupCommit({
        database,
        clock,
        tails,
        metrics,
        published: (partitions) => {
          fetcher.published(partitions)
          maintenance.written(partitions)
        },
        failed: () => fetcher.wakeAll(),
      })
      const topics = new TopicRegistry(database, commit)
      await topics.load()
      const fetcher = new Fetcher(database, clock, topics)
      const offsets = new CommittedOffsets(clock, topics, options.stableWaitMs ?? 5000)
      offsets.load(database)
      const groups = new GroupCoordinator((name) => topics.topic(name)?.partitions.length, logger)
      const transactions = new TransactionCoordinator({
        clock,
        topics,
        offsets,
        commit,
        checkMember: (group) => groups.check(group),
      })
      const retention = new Retention(database, clock, topics, commit)
      const maintenance = new Maintenance({
        database,
        clock,
        logger,
        topics,
        commit,
        retention,
        compactionBytesMin: options.compactionBytesMin ?? 16 << 20,
        intervalMs: options.maintenanceIntervalMs ?? 60_000,
      })
      const parts = { clusterId, commit, topics, offsets, transactions, groups, fetcher, retention }
      return new EmbeddedBroker(database, parts, maintenance)
    } catch (error) {
      await database.close()
      throw error
    }
  }

  /** A client's end; it closes with the broker at the latest. */
  session(): BrokerApi {
    if (this.#closing !== undefined) throw logError('LOG_CLOSED', 'The log is closed. Open it again.')
    const session = new BrokerSession(this.#parts, (ended) => this.#sessions.delete(ended))
    this.#sessions.add(session)
    return session
  }

  /** Compacts a `compact` topic now, whatever the thresholds say. Errors: LOG_UNKNOWN_TOPIC. */
  compact(topic: string): Promise<void> {
    return this.#maintenance.compact(topic)
  }

  /** Applies retention by time now. */
  applyRetention(): Promise<void> {
    return this.#parts.retention.run()
  }

  /** Ends the sessions, makes durable what was accepted, closes the database. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (const session of this.#sessions) await session.close()
    this.#parts.transactions.close()
    await this.#maintenance.close()
    await this.#parts.commit.drain()
    await this.#database.close()
  }
}

async function openDatabase(options: EmbeddedBrokerOptions): Promise<RocksDatabase> {
  try {
    return await RocksDatabase.open(options.dir, {
      memtableBytes: options.memtableBytes ?? 64 << 20,
      cacheBytes: options.blockCacheBytes ?? 32 << 20,
    })
  } catch (error) {
    if (isMillraceError(error, 'ROCKSDB_LOCKED')) {
      throw logError(
        'LOG_IN_USE',
        `${options.dir} is in use by another process. Stop it, or use another directory.`,
        {
          cause: error,
        },
      )
    }
    // A wrong path, a full disk or a missing right is no damage: nobody has to look for a backup.
    if (isMillraceError(error) && !isMillraceError(error, 'ROCKSDB_CORRUPT')) throw error
    throw logError(
      'LOG_CORRUPT',
      `The embedded log in ${options.dir} cannot be opened. Restore it from a backup.`,
      {
        cause: error,
      },
    )
  }
}

function identify(database: RocksDatabase, dir: string): string {
  const stored = database.get(clusterKey)
  if (stored === undefined) {
    const clusterId = randomUUID()
    const batch = database.batch()
    batch.put(clusterKey, Buffer.from(JSON.stringify({ clusterId, formatVersion })))
    database.write(batch, { sync: true })
    return clusterId
  }
  const identity = JSON.parse(stored.toString()) as { clusterId: string; formatVersion: number }
  if (identity.formatVersion !== formatVersion) {
    throw logError(
      'LOG_CORRUPT',
      `${dir} was written in format ${identity.formatVersion}; this version reads format ${formatVersion}. Use the version that wrote it.`,
    )
  }
  return identity.clusterId
}
