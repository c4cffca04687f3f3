/**
 * What a client of the embedded broker may ask, in the same thread or over a MessagePort: requests like Kafka's, with
 * flat buffers instead of objects a record. Failures are MillraceErrors with the codes of the port; every method
 * may fail with LOG_CLOSED and LOG_FAILED.
 */
import type {
  CommittedOffset,
  GroupMetadata,
  LogErrorCode,
  MemberAssignment,
  MemberSubscription,
  PartitionOffset,
  PartitionOffsets,
  TopicDescription,
  TopicPartition,
  TopicSpec,
} from '../index.ts'

export interface BrokerApi {
  clusterId(): Promise<string>

  append(request: AppendRequest): Promise<AppendReply>
  fetch(request: FetchRequest): Promise<FetchReply>
  /** Makes the waiting fetch of this fetcher answer now. */
  wakeFetch(fetcher: number): Promise<void>

  /** Fences the former holder; its epoch is worth nothing afterwards. Resolves with the new epoch. */
  beginTransactor(transactionalId: string, timeoutMs: number): Promise<number>
  /** Errors: LOG_FENCED, LOG_UNKNOWN_TOPIC, LOG_RECORD_TOO_LARGE, LOG_INVALID_REQUEST. */
  prepare(request: PrepareRequest): Promise<void>
  /** Resolves with the end offset after each batch of the request. Errors: LOG_FENCED, LOG_APPEND_UNKNOWN. */
  commit(transactionalId: string, epoch: number): Promise<readonly number[]>
  abort(transactionalId: string, epoch: number): Promise<void>
  endTransactor(transactionalId: string, epoch: number): Promise<void>

  ensureTopics(topics: readonly TopicSpec[]): Promise<void>
  describeTopics(names: readonly string[]): Promise<ReadonlyMap<string, TopicDescription>>
  deleteTopics(names: readonly string[]): Promise<void>
  offsets(partitions: readonly TopicPartition[]): Promise<readonly PartitionOffsets[]>
  deleteRecords(before: readonly PartitionOffset[]): Promise<void>
  committedOffsets(
    group: string,
    partitions: readonly TopicPartition[],
    requireStable: boolean,
  ): Promise<readonly CommittedOffset[]>
  removeMember(group: string, instanceId: string): Promise<void>
  deleteGroup(group: string): Promise<void>

  joinGroup(request: JoinGroupRequest): Promise<{ readonly memberId: string }>
  /** Answers the event before, and waits for the next one. */
  groupEvent(memberId: string, reply: GroupReply | undefined): Promise<GroupEvent>
  /** Resolves once the member's partitions are revoked and it is gone. */
  leaveGroup(memberId: string): Promise<void>
  /** Asks for another round of the member's group. */
  rebalanceGroup(memberId: string): Promise<void>
  isMember(memberId: string): Promise<boolean>

  /** Ends the session: waiting calls fail with LOG_CLOSED, members that did not leave are lost. */
  close(): Promise<void>
}

export interface BatchTarget {
  readonly topicId: string
  readonly partition: number
}

/** One batch a target, back to back in `data`, which belongs to the broker from now on. */
export interface AppendRequest {
  readonly targets: readonly BatchTarget[]
  readonly data: Uint8Array
}

export interface AppendReply {
  /** Base offset of each batch; -1 for a refused one. */
  readonly baseOffsets: readonly number[]
  readonly refused: readonly {
    readonly index: number
    readonly code: LogErrorCode
    readonly message: string
  }[]
}

export interface FetchRequest {
  /** The reader that asks, unique in its session. */
  readonly fetcher: number
  /** Served in this order until the bytes are used up. */
  readonly positions: readonly PartitionOffset[]
  readonly partitionBytesMax: number
  readonly pollBytesMax: number
  readonly waitMs: number
}

export interface FetchReply {
  readonly partitions: readonly FetchedPartition[]
}

export interface FetchedPartition {
  /** Index into the request's positions. */
  readonly index: number
  readonly nextOffset: number
  readonly highWatermark: number
  readonly batches: readonly Buffer[]
}

export interface PrepareRequest extends AppendRequest {
  readonly transactionalId: string
  readonly epoch: number
  readonly group: GroupMetadata
  readonly offsets: readonly (PartitionOffset & { readonly metadata: string })[]
}

export interface JoinGroupRequest {
  readonly group: string
  readonly topics: readonly string[]
  readonly instanceId: string | undefined
}

export type GroupEvent =
  /** Asks for the member's user data. */
  | { readonly kind: 'subscription' }
  /** Asks the leader for the assignment. */
  | {
      readonly kind: 'assign'
      readonly members: readonly MemberSubscription[]
      readonly partitionCounts: ReadonlyMap<string, number>
    }
  | {
      readonly kind: 'assigned'
      readonly generation: number
      readonly partitions: readonly TopicPartition[]
      readonly userData: Uint8Array
    }
  | {
      readonly kind: 'revoked'
      readonly generation: number
      readonly partitions: readonly TopicPartition[]
    }
  | { readonly kind: 'lost'; readonly partitions: readonly TopicPartition[] }
  /** The member is no longer in the group. */
  | { readonly kind: 'end' }

export interface GroupReply {
  readonly userData?: Uint8Array
  readonly assignment?: ReadonlyMap<string, MemberAssignment>
  /** Why the assignor failed. */
  readonly failure?: string
}
