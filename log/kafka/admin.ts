import { orAborted } from '#core'
import { logError, partitionName } from '../index.ts'
import type {
  CommittedOffset,
  LogAdmin,
  PartitionOffset,
  PartitionOffsets,
  TopicDescription,
  TopicPartition,
  TopicSpec,
} from '../index.ts'
import { brokerError, code, isCoordinatorMoved, isRetriable } from './broker-errors.ts'
import { askLeaders } from './by-leader.ts'
import type { Cluster } from './cluster.ts'
import { GroupCoordinator } from './group/coordinator.ts'
import { NoAnswer, unavailable } from './no-answer.ts'
import { deleteRecords } from './protocol/delete-records.ts'
import { describeConfigs } from './protocol/describe-configs.ts'
import { leaveGroup } from './protocol/group-members.ts'
import { deleteGroups, offsetFetch } from './protocol/group-offsets.ts'
import { listOffsets } from './protocol/list-offsets.ts'
import { describeProducers, listTransactions } from './protocol/open-transactions.ts'
import type { offsetEnd } from './protocol/list-offsets.ts'
import { createTopics, deleteTopics } from './protocol/topics.ts'
import type { TopicResult } from './protocol/topics.ts'
import { configNames, configsOf, differencesOf, settingsOf } from './topic-configs.ts'
import type { KafkaTopic } from './topic-configs.ts'

/** How long one request that changes topics may work in the broker. */
const changeTimeoutMs = 5000
/** Copies of a topic that does not say how many. */
const usualReplicas = 3
/** How often a topic just made may look unknown before that is taken for true. */
const visibleWithinMs = 15_000

export class KafkaAdmin implements LogAdmin {
  readonly #cluster: Cluster
  readonly #assertOpen: () => void

  constructor(cluster: Cluster, assertOpen: () => void) {
    this.#cluster = cluster
    this.#assertOpen = assertOpen
  }

  async ensureTopics(topics: readonly TopicSpec[]): Promise<void> {
    this.#assertOpen()
    const names = [...new Set(topics.map(({ name }) => name))]
    const existing = await this.#describe(names)
    const missing = new Map(
      topics.filter(({ name }) => !existing.has(name)).map((spec) => [spec.name, spec] as const),
    )
    if (missing.size > 0) {
      await this.#create([...missing.values()])
      for (const [name, topic] of await this.#untilVisible([...missing.keys()])) existing.set(name, topic)
    }
    const differences = topics.flatMap((spec) => {
      const topic = existing.get(spec.name)
      return topic === undefined ? [] : differencesOf(topic, spec)
    })
    if (differences.length === 0) return
    throw logError(
      'LOG_TOPIC_MISMATCH',
      `Topics exist with other settings: ${[...new Set(differences)].join('; ')}. ` +
        'Change the configuration, set the topics right (kafka-configs.sh), or use other topics.',
      { context: { differences } },
    )
  }

  async describeTopics(names: readonly string[]): Promise<ReadonlyMap<string, TopicDescription>> {
    this.#assertOpen()
    const topics = await this.#describe(names)
    return new Map(
      [...topics].map(([name, { topicId, partitions, settings }]) => [
        name,
        { name, topicId, partitions, settings },
      ]),
    )
  }

  async deleteTopics(names: readonly string[]): Promise<void> {
    this.#assertOpen()
    if (names.length === 0) return
    await this.#changing('delete', names, (left) =>
      this.#cluster.any(deleteTopics, { names: left, timeoutMs: changeTimeoutMs }),
    )
    await this.#cluster.patiently('topics', () => this.#cluster.refresh(names))
  }

  async offsets(partitions: readonly TopicPartition[]): Promise<readonly PartitionOffsets[]> {
    this.#assertOpen()
    // In this order: what is stable is durable, also when more comes in between.
    const stable = await this.#ends('lastStableOffset', partitions)
    const durable = await this.#ends('highWatermark', partitions)
    const starts = await this.#ends('start', partitions)
    return partitions.map(({ topic, partition }, index) => ({
      topic,
      partition,
      start: (starts[index] as PartitionOffset).offset,
      highWatermark: (durable[index] as PartitionOffset).offset,
      lastStableOffset: (stable[index] as PartitionOffset).offset,
    }))
  }

  async deleteRecords(before: readonly PartitionOffset[]): Promise<void> {
    this.#assertOpen()
    await askLeaders(this.#cluster, before, (leader, asked) =>
      this.#cluster.to(leader, deleteRecords, { before: asked, timeoutMs: changeTimeoutMs }),
    )
  }

  async committedOffsets(
    group: string,
    partitions: readonly TopicPartition[],
    { requireStable }: { readonly requireStable: boolean },
  ): Promise<readonly CommittedOffset[]> {
    this.#assertOpen()
    if (partitions.length === 0) return []
    const backoff = this.#cluster.backoff()
    for (;;) {
      const { offsets } = await this.#coordinating(group, async (coordinator) => {
        const answer = await this.#cluster.to(coordinator, offsetFetch, { group, partitions, requireStable })
        return answer.code === code.groupIdNotFound ? { code: 0, offsets: [] } : answer
      })
      const refused = offsets.find((one) => one.code !== code.none && one.code !== code.unstableOffsetCommit)
      if (refused !== undefined && !isRetriable(refused.code))
        throw brokerError(refused.code, `offsets of group ${group}`)
      if (offsets.every((one) => one.code === code.none)) {
        const found = new Map(offsets.map((one) => [partitionName(one), one]))
        return partitions.map(({ topic, partition }) => {
          const one = found.get(partitionName({ topic, partition }))
          const offset = one === undefined || one.offset < 0 ? undefined : one.offset
          return { topic, partition, offset, metadata: one?.metadata ?? '' }
        })
      }
      if (await backoff.wait()) continue
      throw logError(
        'LOG_UNSTABLE_OFFSETS',
        `A transaction that commits offsets of group ${group} is still undecided. Ask again. If that does not ` +
          'help for minutes, the broker has lost the end of one: look with "kafka-transactions.sh find-hanging" ' +
          'and docs/reliability.md, "What a broker may lose".',
      )
    }
  }

  async openTransactions(partitions: readonly TopicPartition[]): Promise<readonly string[]> {
    this.#assertOpen()
    const described = await askLeaders(this.#cluster, partitions, (leader, asked) =>
      this.#cluster.to(leader, describeProducers, { partitions: asked }),
    )
    const producerIds = [...new Set(described.flatMap(({ open }) => open))]
    if (producerIds.length === 0) return []
    // Each of them has its coordinator somewhere.
    return this.#cluster.patiently('open transactions', async () => {
      const answers = await Promise.all(
        this.#cluster.brokers.map((broker) => this.#cluster.to(broker, listTransactions, { producerIds })),
      )
      for (const answer of answers) {
        if (isRetriable(answer.code)) throw new NoAnswer('A coordinator of transactions is not ready.', true)
        if (answer.code !== code.none) throw brokerError(answer.code, 'open transactions')
      }
      return answers.flatMap(({ transactionalIds }) => transactionalIds)
    })
  }

  async removeMember(
    group: string,
    instanceId: string,
    signal = new AbortController().signal,
  ): Promise<void> {
    this.#assertOpen()
    const subject = `group ${group}`
    // On connections of its own, which end with the time for it: what waits there is not sent any more.
    const coordinator = new GroupCoordinator(this.#cluster, group, 0)
    const request = { group, memberId: '', instanceId, reason: 'its process has found it dead' }
    const trying = this.#cluster.patiently(subject, () => {
      if (signal.aborted) throw unavailable(subject, 'no answer in time')
      return coordinator.ask(leaveGroup, request)
    })
    try {
      const left = await orAborted(signal, trying)
      if (left === undefined) throw unavailable(subject, 'no answer in time')
      if (left.code !== code.none && left.code !== code.unknownMemberId) throw brokerError(left.code, subject)
    } finally {
      await coordinator.close()
    }
  }

  async deleteGroup(group: string): Promise<void> {
    this.#assertOpen()
    const answer = await this.#coordinating(group, async (coordinator) => {
      const deleted = await this.#cluster.to(coordinator, deleteGroups, { group })
      const nonEmpty = deleted.code === code.nonEmptyGroup
      const handled = nonEmpty || deleted.code === code.groupIdNotFound
      return { code: handled ? code.none : deleted.code, nonEmpty }
    })
    if (answer.nonEmpty) {
      throw logError('LOG_INVALID_REQUEST', `Group ${group} has members. Stop them, then delete it.`)
    }
  }

  #ends(
    end: keyof typeof offsetEnd,
    partitions: readonly TopicPartition[],
  ): Promise<readonly PartitionOffset[]> {
    return askLeaders(this.#cluster, partitions, (leader, asked) =>
      this.#cluster.to(leader, listOffsets, { end, partitions: asked }),
    )
  }

  /** Asks the group's coordinator, and looks for it again where it moved. */
  #coordinating<Answer extends { readonly code: number }>(
    group: string,
    ask: (coordinator: { readonly host: string; readonly port: number }) => Promise<Answer>,
  ): Promise<Answer> {
    return this.#cluster.patiently(`group ${group}`, async () => {
      try {
        const answer = await ask(await this.#cluster.coordinator('group', group))
        if (answer.code === code.none) return answer
        if (!isCoordinatorMoved(answer.code) && !isRetriable(answer.code))
          throw brokerError(answer.code, `group ${group}`)
        throw new NoAnswer(`The coordinator of ${group} is not ready.`, true)
      } catch (error) {
        if (error instanceof NoAnswer) this.#cluster.forgetCoordinator('group', group)
        throw error
      }
    })
  }

  /** Topics that do not exist are left out. */
  async #describe(names: readonly string[]): Promise<Map<string, KafkaTopic>> {
    if (names.length === 0) return new Map()
    return this.#cluster.patiently('topics', async () => {
      await this.#cluster.refresh(names)
      const found = names.filter((name) => this.#cluster.known(name) !== undefined)
      const topics = new Map<string, KafkaTopic>()
      if (found.length === 0) return topics
      for (const described of await this.#cluster.any(describeConfigs, {
        topics: found,
        names: configNames,
      })) {
        const { topic: name, configs } = described
        const known = this.#cluster.known(name)
        // Deleted in between.
        if (described.code === code.unknownTopicOrPartition || known === undefined) continue
        if (isRetriable(described.code))
          throw new NoAnswer(`The settings of ${name} are not to be had now.`, true)
        if (described.code !== code.none)
          throw brokerError(described.code, `settings of topic ${name}`, described.message)
        topics.set(name, {
          name,
          topicId: known.topicId,
          partitions: known.partitions.length,
          replicas: Math.max(0, ...known.partitions.map(({ replicas }) => replicas)),
          settings: settingsOf(configs),
          configs,
        })
      }
      return topics
    })
  }

  async #create(specs: readonly TopicSpec[]): Promise<void> {
    const byName = new Map(specs.map((spec) => [spec.name, spec]))
    await this.#changing('create', [...byName.keys()], (left) =>
      this.#cluster.any(createTopics, {
        timeoutMs: changeTimeoutMs,
        topics: left.map((name) => {
          const { partitions, replicationFactor, settings } = byName.get(name) as TopicSpec
          const replicas =
            replicationFactor ?? Math.min(usualReplicas, Math.max(1, this.#cluster.brokerCount))
          return { name, partitions, replicationFactor: replicas, configs: configsOf(settings, replicas) }
        }),
      }),
    )
  }

  /** A topic that is already as it should be counts as done. */
  async #changing(
    what: 'create' | 'delete',
    names: readonly string[],
    change: (left: readonly string[]) => Promise<readonly TopicResult[]>,
  ): Promise<void> {
    const done = what === 'create' ? code.topicAlreadyExists : code.unknownTopicOrPartition
    let left = names
    await this.#cluster.patiently('topics', async () => {
      const again: TopicResult[] = []
      for (const result of await change(left)) {
        if (result.code === code.none || result.code === done) continue
        if (!isRetriable(result.code))
          throw brokerError(result.code, `${what} topic ${result.name}`, result.message)
        again.push(result)
      }
      left = again.map(({ name }) => name)
      if (left.length > 0) throw new NoAnswer(`Topics ${left.join(', ')} cannot be changed now.`, true)
    })
  }

  /** Waits until brokers know the topics and each partition has a leader. */
  async #untilVisible(names: readonly string[]): Promise<ReadonlyMap<string, KafkaTopic>> {
    const backoff = this.#cluster.backoff(visibleWithinMs)
    for (;;) {
      const topics = await this.#describe(names)
      const ready = names.every((name) => {
        const partitions = topics.get(name)?.partitions ?? 0
        return Array.from({ length: partitions }).every(
          (_, partition) => this.#cluster.leader({ topic: name, partition }) !== undefined,
        )
      })
      if (ready && topics.size === names.length) return topics
      if (!(await backoff.wait())) {
        throw logError(
          'LOG_UNAVAILABLE',
          `Topics ${names.join(', ')} were created, but not all have leaders yet. Try again.`,
        )
      }
    }
  }
}
