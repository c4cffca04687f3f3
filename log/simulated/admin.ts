import { logError } from '../index.ts'
import type {
  CommittedOffset,
  LogAdmin,
  PartitionOffset,
  PartitionOffsets,
  TopicDescription,
  TopicPartition,
  TopicSpec,
} from '../index.ts'
import type { SimulatedLog } from './simulated-log.ts'

export class SimulatedAdmin implements LogAdmin {
  readonly #log: SimulatedLog

  constructor(log: SimulatedLog) {
    this.#log = log
  }

  ensureTopics(specs: readonly TopicSpec[]): Promise<void> {
    return this.#ask('ensure topics', async () => {
      const { topics, groups, durability } = this.#log.broker
      topics.ensure(specs)
      groups.topicsChanged()
      await durability.wait()
    })
  }

  describeTopics(names: readonly string[]): Promise<ReadonlyMap<string, TopicDescription>> {
    return this.#ask('describe topics', () => {
      const found = names.map((name) => this.#log.broker.topics.describe(name))
      return new Map(found.filter((topic) => topic !== undefined).map((topic) => [topic.name, topic]))
    })
  }

  deleteTopics(names: readonly string[]): Promise<void> {
    return this.#ask('delete topics', async () => {
      const { topics, offsets, durability } = this.#log.broker
      for (const name of names) {
        topics.delete(name)
        offsets.forgetTopic(name)
      }
      await durability.wait()
    })
  }

  offsets(partitions: readonly TopicPartition[]): Promise<readonly PartitionOffsets[]> {
    return this.#ask('offsets', () =>
      partitions.map(({ topic, partition }) => {
        const found = this.#log.broker.topics.partition({ topic, partition })
        const { start, highWatermark, lastStableOffset } = found
        return { topic, partition, start, highWatermark, lastStableOffset }
      }),
    )
  }

  deleteRecords(before: readonly PartitionOffset[]): Promise<void> {
    return this.#ask('delete records', async () => {
      const { topics, durability } = this.#log.broker
      for (const place of before) topics.partition(place).deleteRecords(place.offset)
      await durability.wait()
    })
  }

  committedOffsets(
    group: string,
    partitions: readonly TopicPartition[],
    { requireStable }: { readonly requireStable: boolean },
  ): Promise<readonly CommittedOffset[]> {
    return this.#ask('committed offsets', async () => {
      const { broker } = this.#log
      if (requireStable) await broker.stable(group, partitions)
      return broker.offsets.committed(group, partitions)
    })
  }

  openTransactions(partitions: readonly TopicPartition[]): Promise<readonly string[]> {
    const { transactions, topics } = this.#log.broker
    return this.#ask('open transactions', () =>
      transactions.openOn(partitions.map((place) => topics.partition(place))),
    )
  }

  removeMember(group: string, instanceId: string): Promise<void> {
    return this.#ask('remove member', () => this.#log.broker.groups.removeInstance(group, instanceId))
  }

  deleteGroup(group: string): Promise<void> {
    return this.#ask('delete group', async () => {
      const { groups, offsets, durability } = this.#log.broker
      if (groups.hasMembers(group)) {
        throw logError('LOG_INVALID_REQUEST', `Group ${group} has members. Stop them, then delete the group.`)
      }
      offsets.forgetGroup(group)
      await durability.wait()
    })
  }

  async #ask<T>(name: string, handle: () => T | Promise<T>): Promise<T> {
    this.#log.assertOpen()
    return this.#log.retrying({ name }, handle)
  }
}
