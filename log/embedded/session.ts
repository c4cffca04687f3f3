import { logError } from '../index.ts'
import type { LogErrorCode, PartitionOffset, TopicPartition, TopicSpec } from '../index.ts'
import { MillraceError } from '#core'
import type {
  AppendReply,
  AppendRequest,
  BrokerApi,
  FetchReply,
  FetchRequest,
  GroupEvent,
  GroupReply,
  JoinGroupRequest,
  PrepareRequest,
} from './broker-api.ts'
import type { BrokerParts } from './broker.ts'
import { splitBatches } from './record-batches.ts'
import { assertFits } from './transaction-coordinator.ts'

/** One client of the broker. When it ends, its waiting calls, open transactions and memberships end with it. */
export class BrokerSession implements BrokerApi {
  readonly #broker: BrokerParts
  readonly #ended: (session: BrokerSession) => void
  readonly #fetches = new Map<number, AbortController>()
  #closed = false

  constructor(broker: BrokerParts, ended: (session: BrokerSession) => void) {
    this.#broker = broker
    this.#ended = ended
  }

  async clusterId(): Promise<string> {
    return this.#broker.clusterId
  }

  async append(request: AppendRequest): Promise<AppendReply> {
    this.#assertUsable()
    const batches = splitBatches(request.data, request.targets.length)
    return this.#broker.commit.stage((group) => {
      const baseOffsets: number[] = []
      const refused: AppendReply['refused'][number][] = []
      for (const [index, { topicId, partition: number }] of request.targets.entries()) {
        try {
          const partition = this.#broker.topics.partitionById(topicId, number)
          const batch = batches[index] as Buffer
          assertFits(partition, batch)
          baseOffsets.push(partition.append(group.batch, batch, group.now))
          group.touch(partition)
        } catch (error) {
          if (!(error instanceof MillraceError)) throw error
          refused.push({ index, code: error.code as LogErrorCode, message: error.message })
          baseOffsets.push(-1)
        }
      }
      return () => ({ baseOffsets, refused })
    })
  }

  async fetch(request: FetchRequest): Promise<FetchReply> {
    this.#assertUsable()
    const woken = new AbortController()
    this.#fetches.set(request.fetcher, woken)
    try {
      const reply = await this.#broker.fetcher.fetch(request, woken)
      this.#assertUsable()
      return reply
    } finally {
      this.#fetches.delete(request.fetcher)
    }
  }

  async wakeFetch(fetcher: number): Promise<void> {
    this.#fetches.get(fetcher)?.abort()
  }

  async beginTransactor(transactionalId: string, timeoutMs: number): Promise<number> {
    this.#assertUsable()
    return this.#broker.transactions.begin(transactionalId, timeoutMs, this)
  }

  async prepare(request: PrepareRequest): Promise<void> {
    this.#assertUsable()
    this.#broker.transactions.prepare(request)
  }

  async commit(transactionalId: string, epoch: number): Promise<readonly number[]> {
    this.#assertUsable()
    return this.#broker.transactions.commit(transactionalId, epoch)
  }

  async abort(transactionalId: string, epoch: number): Promise<void> {
    this.#assertUsable()
    this.#broker.transactions.abort(transactionalId, epoch)
  }

  async endTransactor(transactionalId: string, epoch: number): Promise<void> {
    this.#broker.transactions.end(transactionalId, epoch)
  }

  async ensureTopics(specs: readonly TopicSpec[]): Promise<void> {
    this.#assertUsable()
    await this.#broker.topics.ensure(specs)
    this.#broker.groups.topicsChanged(new Set(specs.map((spec) => spec.name)))
  }

  async describeTopics(names: readonly string[]): ReturnType<BrokerApi['describeTopics']> {
    this.#assertUsable()
    const found = names.map((name) => this.#broker.topics.topic(name)?.description)
    return new Map(found.filter((topic) => topic !== undefined).map((topic) => [topic.name, topic]))
  }

  async deleteTopics(names: readonly string[]): Promise<void> {
    this.#assertUsable()
    await this.#broker.topics.delete(names, (group, topic) => this.#broker.offsets.forgetTopic(group, topic))
  }

  async offsets(partitions: readonly TopicPartition[]): ReturnType<BrokerApi['offsets']> {
    this.#assertUsable()
    return partitions.map(({ topic, partition }) => {
      const { start, highWatermark } = this.#broker.topics.partition({ topic, partition })
      return { topic, partition, start, highWatermark, lastStableOffset: highWatermark }
    })
  }

  async deleteRecords(before: readonly PartitionOffset[]): Promise<void> {
    this.#assertUsable()
    await this.#broker.retention.deleteRecords(before)
  }

  async committedOffsets(
    group: string,
    partitions: readonly TopicPartition[],
    requireStable: boolean,
  ): ReturnType<BrokerApi['committedOffsets']> {
    this.#assertUsable()
    const committed = await this.#broker.offsets.committed(group, partitions, requireStable)
    // What it waited for may have failed with an outcome that nobody knows.
    this.#assertUsable()
    return committed
  }

  async removeMember(group: string, instanceId: string): Promise<void> {
    this.#assertUsable()
    await this.#broker.groups.removeInstance(group, instanceId)
  }

  async deleteGroup(group: string): Promise<void> {
    this.#assertUsable()
    if (this.#broker.groups.hasMembers(group)) {
      throw logError('LOG_INVALID_REQUEST', `Group ${group} has members. Stop them, then delete the group.`)
    }
    await this.#broker.commit.stage((write) => this.#broker.offsets.forgetGroup(write, group))
  }

  async joinGroup(request: JoinGroupRequest): Promise<{ readonly memberId: string }> {
    this.#assertUsable()
    return this.#broker.groups.join(request, this)
  }

  async groupEvent(memberId: string, reply: GroupReply | undefined): Promise<GroupEvent> {
    return this.#broker.groups.next(memberId, reply)
  }

  async leaveGroup(memberId: string): Promise<void> {
    await this.#broker.groups.leave(memberId)
  }

  async rebalanceGroup(memberId: string): Promise<void> {
    this.#broker.groups.rebalance(memberId)
  }

  async isMember(memberId: string): Promise<boolean> {
    return this.#broker.groups.isMember(memberId)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const fetch of this.#fetches.values()) fetch.abort()
    this.#broker.transactions.endSession(this)
    this.#broker.groups.endSession(this)
    this.#ended(this)
  }

  #assertUsable(): void {
    if (this.#closed) throw logError('LOG_CLOSED', 'The log is closed. Open it again.')
    this.#broker.commit.assertWritable()
  }
}
