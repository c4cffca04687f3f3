import type { Clock } from '#core'
import { logError } from '../index.ts'
import type { GroupMetadata } from '../index.ts'
import type { PrepareRequest } from './broker-api.ts'
import type { CommittedOffsets, OffsetToCommit } from './committed-offsets.ts'
import type { GroupCommit } from './group-commit.ts'
import type { PartitionLog } from './partition-log.ts'
import { splitBatches } from './record-batches.ts'
import { unknownTopic } from '../topic-settings.ts'
import type { TopicRegistry } from './topic-registry.ts'

interface Prepared {
  readonly appends: readonly { readonly partition: PartitionLog; readonly batch: Buffer }[]
  readonly offsets: readonly OffsetToCommit[]
  /** Milliseconds since the epoch. */
  readonly deadline: number
}

interface Holder {
  readonly epoch: number
  /** The session that took the id over. */
  readonly session: object
  readonly timeoutMs: number
  prepared: Prepared | undefined
  timedOut: boolean
}

/**
 * Transactional ids and their open transactions. What is prepared stays here, outside of the log, until its commit
 * puts records and offsets into one write group: the log never holds an undecided record.
 */
export class TransactionCoordinator {
  readonly #clock: Clock
  readonly #topics: TopicRegistry
  readonly #offsets: CommittedOffsets
  readonly #commit: GroupCommit
  readonly #checkMember: (group: GroupMetadata) => void
  /** By transactional id; ends with its transactor, so it is bounded by those that are open. */
  readonly #holders = new Map<string, Holder>()
  /** By transactional id, the commit under way; also after its holder ended. Resolves when it is decided. */
  readonly #deciding = new Map<string, Promise<unknown>>()
  #epochs = 0
  /** When the sweeper looks next, and what makes it look earlier. */
  #sweepAt = Infinity
  #sweep = new AbortController()
  #closed = false

  constructor(options: {
    readonly clock: Clock
    readonly topics: TopicRegistry
    readonly offsets: CommittedOffsets
    readonly commit: GroupCommit
    /** Throws LOG_FENCED when the member may not commit for the group. */
    readonly checkMember: (group: GroupMetadata) => void
  }) {
    this.#clock = options.clock
    this.#topics = options.topics
    this.#offsets = options.offsets
    this.#commit = options.commit
    this.#checkMember = options.checkMember
  }

  async begin(transactionalId: string, timeoutMs: number, session: object): Promise<number> {
    this.#commit.assertWritable()
    const former = this.#holders.get(transactionalId)
    const holder: Holder = {
      epoch: ++this.#epochs,
      session,
      timeoutMs,
      prepared: undefined,
      timedOut: false,
    }
    this.#holders.set(transactionalId, holder)
    if (former !== undefined) this.#drop(former)
    // A commit that is already in a write group is decided by it; the new holder starts after that.
    await this.#deciding.get(transactionalId)
    // Had it failed, nobody could say what was committed under this id.
    this.#commit.assertWritable()
    return holder.epoch
  }

  prepare(request: PrepareRequest): void {
    this.#commit.assertWritable()
    const holder = this.#holder(request.transactionalId, request.epoch)
    if (holder.prepared !== undefined) {
      throw logError(
        'LOG_INVALID_REQUEST',
        `${request.transactionalId} has an open transaction. Commit or abort it first.`,
      )
    }
    if (request.offsets.length === 0) {
      throw logError(
        'LOG_INVALID_REQUEST',
        'A transaction needs at least one offset: without, the group does not fence it. Pass the current position.',
      )
    }
    const invalid = request.offsets.find(({ offset }) => !Number.isSafeInteger(offset) || offset < 0)
    if (invalid !== undefined) {
      throw logError(
        'LOG_INVALID_REQUEST',
        `${invalid.offset} is no offset. Pass the next offset to read, 0 or more.`,
      )
    }
    this.#checkMember(request.group)
    const batches = splitBatches(request.data, request.targets.length)
    const appends = request.targets.map(({ topicId, partition }, index) => ({
      partition: this.#topics.partitionById(topicId, partition),
      batch: batches[index] as Buffer,
    }))
    for (const { partition, batch } of appends) assertFits(partition, batch)
    const offsets = request.offsets.map(({ topic, partition, offset, metadata }) => ({
      group: request.group.group,
      topicId: this.#topics.partition({ topic, partition }).topic.topicId,
      partition,
      offset,
      metadata,
    }))
    const deadline = this.#clock.now() + holder.timeoutMs
    holder.timedOut = false
    holder.prepared = { appends, offsets, deadline }
    this.#offsets.hold(offsets)
    this.#sweepBy(deadline)
  }

  async commit(transactionalId: string, epoch: number): Promise<readonly number[]> {
    const holder = this.#holder(transactionalId, epoch)
    const prepared = holder.prepared
    if (prepared === undefined) {
      throw holder.timedOut
        ? logError(
            'LOG_APPEND_FAILED',
            `The transaction of ${transactionalId} was open for more than ${holder.timeoutMs} ms and is aborted. Run it again.`,
          )
        : logError('LOG_INVALID_REQUEST', `${transactionalId} has nothing prepared to commit.`)
    }
    // Decided from here on: neither the timeout nor a successor takes it back.
    holder.prepared = undefined
    const decided = this.#write(prepared)
    const deciding = decided.catch(() => undefined)
    this.#deciding.set(transactionalId, deciding)
    try {
      return await decided
    } finally {
      if (this.#deciding.get(transactionalId) === deciding) this.#deciding.delete(transactionalId)
      this.#offsets.release(prepared.offsets)
    }
  }

  abort(transactionalId: string, epoch: number): void {
    this.#drop(this.#holder(transactionalId, epoch))
  }

  end(transactionalId: string, epoch: number): void {
    const holder = this.#holders.get(transactionalId)
    if (holder?.epoch !== epoch) return
    this.#drop(holder)
    this.#holders.delete(transactionalId)
  }

  /** The client is gone: its open transactions are aborted. */
  endSession(session: object): void {
    for (const [id, holder] of this.#holders) if (holder.session === session) this.end(id, holder.epoch)
  }

  close(): void {
    this.#closed = true
    this.#sweep.abort()
  }

  #write(prepared: Prepared): Promise<readonly number[]> {
    return this.#commit.stage((group) => {
      for (const { partition } of prepared.appends) {
        if (partition.deleted) throw unknownTopic(partition.topic.name)
      }
      const ends = prepared.appends.map(({ partition, batch }) => {
        partition.append(group.batch, batch, group.now)
        group.touch(partition)
        return partition.end
      })
      const visible = this.#offsets.put(group, prepared.offsets)
      return () => {
        visible()
        return ends
      }
    })
  }

  #holder(transactionalId: string, epoch: number): Holder {
    const holder = this.#holders.get(transactionalId)
    if (holder?.epoch !== epoch) {
      throw logError(
        'LOG_FENCED',
        `Another transactor took ${transactionalId} over. Give this one up; its open transaction is aborted.`,
      )
    }
    return holder
  }

  #drop(holder: Holder): void {
    const prepared = holder.prepared
    if (prepared === undefined) return
    holder.prepared = undefined
    this.#offsets.release(prepared.offsets)
  }

  /** Makes sure that what is open too long is aborted: one sleeper for all, and only while something is open. */
  #sweepBy(deadline: number): void {
    if (this.#sweepAt <= deadline) return
    const idle = this.#sweepAt === Infinity
    this.#sweepAt = deadline
    if (idle) void this.#sweepUntilIdle()
    else this.#sweep.abort()
  }

  async #sweepUntilIdle(): Promise<void> {
    while (this.#sweepAt < Infinity && !this.#closed) {
      this.#sweep = new AbortController()
      await this.#clock.sleep(Math.max(this.#sweepAt - this.#clock.now(), 0), this.#sweep.signal)
      const now = this.#clock.now()
      this.#sweepAt = Infinity
      for (const holder of this.#holders.values()) {
        if (holder.prepared === undefined) continue
        if (holder.prepared.deadline <= now) {
          this.#drop(holder)
          holder.timedOut = true
        } else {
          this.#sweepAt = Math.min(this.#sweepAt, holder.prepared.deadline)
        }
      }
    }
  }
}

export function assertFits(partition: PartitionLog, batch: Buffer): void {
  const { maxMessageBytes } = partition.topic.settings
  if (batch.length > maxMessageBytes) {
    throw logError(
      'LOG_RECORD_TOO_LARGE',
      `A batch of ${batch.length} bytes is larger than ${partition.topic.name} takes (${maxMessageBytes} bytes).`,
    )
  }
}
