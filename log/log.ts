/**
 * The log port: what every driver (embedded, Kafka, simulated) gives, with one conformance suite over all.
 *
 * It hides nothing that matters to exactly-once: fencing, outcomes that stay unknown, unstable offsets, the high
 * watermark and the last stable offset are part of the contract.
 *
 * Units: offsets are safe integers; `nextOffset`, `highWatermark` and `lastStableOffset` are exclusive ends;
 * times are milliseconds since the Unix epoch; sizes are bytes.
 */
import type { BytesLike, RecordHeaders } from '#core'
import type { RecordBatchBuilder } from './record-batch.ts'
import type { FetchedRecords } from './fetched-records.ts'

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

export interface PartitionOffset extends TopicPartition {
  readonly offset: number
}

/**
 * Errors of every call, here and of `admin`: LOG_CLOSED once the log is closed. Of those that ask the log: on Kafka
 * LOG_UNAVAILABLE (retry; it was tried for up to half a minute) and LOG_UNAUTHORIZED; on the embedded log LOG_FAILED
 * once a write has failed, and LOG_APPEND_UNKNOWN from the call whose write that was. Others are named with their call.
 */
export interface Log {
  /** Which log this is: Kafka's cluster id, or the embedded log's UUID. Stored beside every stored offset. */
  readonly clusterId: string
  readonly admin: LogAdmin
  /** A sender of single records outside of transactions. */
  appender(options?: AppenderOptions): Appender
  /** A read_committed reader. */
  reader(options?: ReaderOptions): Reader
  /**
   * Takes over a transactional id: a former holder is fenced and its open transaction aborted before this resolves
   * (InitProducerId, KIP-98). Holders of other ids are untouched.
   * Errors: LOG_INVALID_REQUEST (Kafka: a time-out longer than `transaction.max.timeout.ms` of the brokers).
   */
  transactor(transactionalId: string, options?: TransactorOptions): Promise<Transactor>
  /**
   * Joins a consumer group. Resolves once the member is known to the group; partitions arrive at the listener, and so
   * does what ends the membership later. Errors: LOG_CLOSED when the log is closed meanwhile; LOG_INVALID_REQUEST
   * (Kafka: a session time-out that the brokers do not grant, a group of members of another kind).
   */
  join(options: JoinOptions): Promise<Membership>
  /** Stops everything this handle started. Waits for appends in flight. */
  close(): Promise<void>
}

// ---------------------------------------------------------------------------------------------------------- admin

export interface TopicSettings {
  readonly cleanup: 'delete' | 'compact'
  /** Milliseconds; -1 keeps for ever. Default -1. */
  readonly retentionMs?: number
  /** `log-append`: the log stamps each record; `create`: the writer's timestamp is kept (default). */
  readonly timestamps?: 'create' | 'log-append'
  /** Largest record batch the topic takes, bytes. Default 1 MiB. */
  readonly maxMessageBytes?: number
  /** How long tombstones of a compacted topic stay readable, milliseconds. Default 7 days. */
  readonly deleteRetentionMs?: number
}

export interface TopicSpec {
  readonly name: string
  readonly partitions: number
  readonly replicationFactor?: number
  readonly settings: TopicSettings
}

export interface TopicDescription {
  readonly name: string
  /** Unique for the life of the topic; a topic deleted and created again has another. */
  readonly topicId: string
  readonly partitions: number
  readonly settings: Required<TopicSettings>
}

/** `start` inclusive; the other two exclusive. */
export interface PartitionOffsets extends TopicPartition {
  readonly start: number
  /** End of what is durable. */
  readonly highWatermark: number
  /** End of what a read_committed reader may see: the first offset of the oldest open transaction, or the high watermark. */
  readonly lastStableOffset: number
}

export interface CommittedOffset extends TopicPartition {
  /** Next offset to read; undefined when the group never committed one. */
  readonly offset: number | undefined
  readonly metadata: string
}

export interface LogAdmin {
  /**
   * Makes sure the topics exist with these settings: creates what is missing, checks what exists.
   * Errors: LOG_TOPIC_MISMATCH (partition count or settings differ; names each difference), LOG_INVALID_REQUEST (a name
   * or a number of partitions or copies that the log does not take).
   */
  ensureTopics(topics: readonly TopicSpec[]): Promise<void>
  /** Topics that do not exist are left out. */
  describeTopics(names: readonly string[]): Promise<ReadonlyMap<string, TopicDescription>>
  /** Topics that do not exist count as deleted. Errors: LOG_INVALID_REQUEST (Kafka: brokers that do not allow it). */
  deleteTopics(names: readonly string[]): Promise<void>
  /** Errors: LOG_UNKNOWN_TOPIC. */
  offsets(partitions: readonly TopicPartition[]): Promise<readonly PartitionOffsets[]>
  /**
   * Makes offsets below `offset` unreadable; `start` becomes `offset`. Errors: LOG_UNKNOWN_TOPIC, LOG_OFFSET_OUT_OF_RANGE
   * (beyond the end).
   */
  deleteRecords(before: readonly PartitionOffset[]): Promise<void>
  /**
   * The group's committed offsets. With `requireStable` it waits while a transaction that commits one of them is
   * undecided (KIP-447). Errors: LOG_UNSTABLE_OFFSETS (retry) when that lasts; LOG_UNKNOWN_TOPIC for a partition that
   * does not exist, on the embedded log: Kafka says that nothing was committed there.
   */
  committedOffsets(
    group: string,
    partitions: readonly TopicPartition[],
    options: { readonly requireStable: boolean },
  ): Promise<readonly CommittedOffset[]>
  /**
   * Transactional ids with an open transaction that has written into one of the partitions, and so holds its last
   * stable offset back. Errors: LOG_UNKNOWN_TOPIC (Kafka; on the embedded log nothing holds it back).
   */
  openTransactions(partitions: readonly TopicPartition[]): Promise<readonly string[]>
  /**
   * Takes whoever joined under this instance id out of the group, in the place of one that died without a word: its
   * partitions are free at once. One that lives after all has lost them. Nobody of that name: nothing to do.
   * Nothing more is asked for once `signal` is aborted: whoever has the id by then is another one. Errors: only those of
   * every call, LOG_UNAVAILABLE also for a signal that came before the answer.
   */
  removeMember(group: string, instanceId: string, signal?: AbortSignal): Promise<void>
  /** Forgets the offsets of a group without members. Errors: LOG_INVALID_REQUEST (it has members). */
  deleteGroup(group: string): Promise<void>
}

// --------------------------------------------------------------------------------------------------------- append

export interface AppenderOptions {
  /** Bytes waiting or in flight before `append` fails with LOG_OVERLOADED. Default 64 MiB. */
  readonly bufferBytesMax?: number
}

export interface AppendRecord {
  readonly topic: string
  /** Left out: murmur2 of the key, as Java's default partitioner; without a key 0. */
  readonly partition?: number
  readonly key: BytesLike | null
  readonly value: BytesLike | null
  readonly headers?: RecordHeaders
  /** Default: now. Overwritten on topics with `timestamps: log-append`. */
  readonly timestamp?: number
}

export interface Appended {
  readonly partition: number
  readonly offset: number
}

/**
 * Appends of one turn of the event loop travel together; there is no linger timer. Idempotent: a retry inside
 * never writes twice. Order per partition is the order of the calls.
 */
export interface Appender {
  /**
   * Resolves once the record is durable (acks=all).
   * Errors: LOG_APPEND_FAILED (surely not appended; safe to try again), LOG_OVERLOADED (not appended, buffers are
   * full), LOG_RECORD_TOO_LARGE (not appended), LOG_UNKNOWN_TOPIC (not appended: no such topic, or no such partition of
   * it), LOG_CLOSED (not appended: the appender or the log is closed), LOG_FAILED (not appended: the embedded log takes
   * nothing more), LOG_APPEND_UNKNOWN (it may be in the log or not: look before you append it again).
   */
  append(record: AppendRecord): Promise<Appended>
  /** Waits for everything in flight, then refuses further appends. */
  close(): Promise<void>
}

// ----------------------------------------------------------------------------------------------------------- read

export interface ReaderOptions {
  /** Bytes of one partition in one poll (at least one batch). Default 1 MiB. */
  readonly partitionBytesMax?: number
  /** Bytes of one poll. Default 8 MiB. */
  readonly pollBytesMax?: number
}

/**
 * Follows partitions from positions that the caller gives. Sees only what is durable and committed. Never skips a
 * partition for ever: the order of partitions rotates.
 */
export interface Reader {
  /** Adds a partition, or moves its position. */
  seek(partition: TopicPartition, offset: number): void
  /** Forgets a partition. */
  remove(partition: TopicPartition): void
  pause(partition: TopicPartition): void
  resume(partition: TopicPartition): void
  /**
   * The next offset to read: it also moves past control batches, aborted and compacted records, so it reaches the
   * last stable offset of a quiet partition. Undefined for a partition not followed.
   */
  position(partition: TopicPartition): number | undefined
  /**
   * Records that are there, or the first to come within `waitMs`; an empty array afterwards. One call at a time.
   * Errors: LOG_OFFSET_OUT_OF_RANGE (context: topic, partition, offset, start, end), LOG_UNKNOWN_TOPIC, LOG_UNAVAILABLE
   * (retry), LOG_UNAUTHORIZED, LOG_FAILED (for good), LOG_CLOSED.
   */
  poll(waitMs: number): Promise<readonly FetchedRecords[]>
  /** Makes a waiting `poll` return now. */
  wakeup(): void
  close(): Promise<void>
}

// ---------------------------------------------------------------------------------------------------- transaction

export interface TransactorOptions {
  /** The log aborts a transaction that stays open longer, milliseconds. Default 10,000. */
  readonly transactionTimeoutMs?: number
}

/** Records for one partition, in order. The builder belongs to the transactor until the outcome is known. */
export interface TransactionAppend extends TopicPartition {
  readonly records: RecordBatchBuilder
}

/** Who commits offsets: a stale generation or an unknown member is fenced (KIP-447). */
export interface GroupMetadata {
  readonly group: string
  readonly generation: number
  readonly memberId: string
  readonly instanceId?: string
}

export interface TransactionRequest {
  readonly appends: readonly TransactionAppend[]
  readonly group: GroupMetadata
  /** At least one: a transaction without offsets is not fenced by the group. */
  readonly offsets: readonly (PartitionOffset & { readonly metadata: string })[]
}

export type TransactionOutcome =
  | {
      readonly kind: 'committed'
      /** For each append, in the order of the request: the offset after its last record (exclusive end). */
      readonly endOffsets: readonly number[]
    }
  /** Surely not committed; nothing of it will ever be seen. */
  | { readonly kind: 'aborted'; readonly error: Error }
  /** Surely not committed, and this transactor or its member has a successor. */
  | { readonly kind: 'fenced'; readonly error: Error }
  /** Committed or not: only taking the transactional id over again and re-reading the log tells. */
  | { readonly kind: 'unknown'; readonly error: Error }

/** One transaction at a time. */
export interface Transactor {
  readonly transactionalId: string
  /**
   * Sends records and offsets. Resolves to undefined once all is acknowledged, after which `commit` decides;
   * to an outcome other than committed when it cannot be committed any more.
   */
  prepare(
    request: TransactionRequest,
  ): Promise<Exclude<TransactionOutcome, { kind: 'committed' }> | undefined>
  /**
   * Commits what `prepare` sent. Resolves when the outcome is durable. Readers see it then, or, where brokers write
   * markers after they have decided (Kafka), some milliseconds later; the last stable offset tells.
   */
  commit(): Promise<TransactionOutcome>
  /** Gives up what `prepare` sent. */
  abort(): Promise<void>
  close(): Promise<void>
}

// ---------------------------------------------------------------------------------------------------------- group

export interface MemberSubscription {
  readonly memberId: string
  readonly topics: readonly string[]
  /** The member's own message to the assignor. */
  readonly userData: Uint8Array
  /** What it owned when it (re)joined. */
  readonly owned: readonly TopicPartition[]
}

export interface MemberAssignment {
  readonly partitions: readonly TopicPartition[]
  readonly userData: Uint8Array
}

/** Pure: the same members and partition counts give the same assignment. Every partition gets one owner. */
export type Assignor = (
  members: readonly MemberSubscription[],
  partitionCounts: ReadonlyMap<string, number>,
) => ReadonlyMap<string, MemberAssignment>

/** Called one at a time, in order. A partition is assigned to its next owner only after `revoked` or `lost` resolved. */
export interface GroupListener {
  assigned(partitions: readonly TopicPartition[], userData: Uint8Array): Promise<void>
  /** Still the owner: commit what is in flight, then resolve. */
  revoked(partitions: readonly TopicPartition[]): Promise<void>
  /** No longer the owner: drop what is uncommitted. The member joins again by itself, under another id. */
  lost(partitions: readonly TopicPartition[]): Promise<void>
  /**
   * The membership is over and does not come back; what it owned was lost before. Errors: LOG_FENCED (another member
   * has its instance id, or the coordinator is gone), LOG_UNAUTHORIZED and other refusals of the group.
   */
  ended?(error: Error): void
}

export interface JoinOptions {
  readonly group: string
  readonly topics: readonly string[]
  readonly userData?: () => Uint8Array
  readonly assignor: Assignor
  readonly listener: GroupListener
  /**
   * A name that outlives the process: whoever joins under it takes the place of the member before at once, without
   * another round, and ends its membership (KIP-345).
   */
  readonly instanceId?: string
  /**
   * A member that is not heard of for so long is lost, milliseconds. Default: 6,000 on Kafka, the least that brokers
   * grant by default. The embedded log has none: it knows when the thread of a member ends.
   */
  readonly sessionTimeoutMs?: number
}

export interface Membership {
  /** The metadata to commit offsets with, as of now. After a loss that of before, so that it fences, until it joined again. */
  metadata(): GroupMetadata
  /** Asks for another round of the assignor, with everybody's user data as of then. */
  rebalance(): void
  /**
   * To be asked after a transaction was fenced. True: this member is in the group, and `metadata` is that of its
   * present generation; if it is the one the transaction had, then not the group has fenced it. False: it is not a
   * member any more, and `lost` is told about everything that it owned.
   */
  confirm(): Promise<boolean>
  /** Revokes everything, then leaves. */
  leave(): Promise<void>
}
