/** The topics a topology needs around it: checks those of others, creates its own. */
import type { Log, TopicDescription, TopicSpec } from '#log'
import { changelogTopic } from '#state'
import type { Topology } from '#topology'
import type { ChangelogIdentity } from './commit/seal.ts'
import { deadLetterTopic } from './dead-letter.ts'
import { processorError } from './errors.ts'
import { partitionCounts } from './partition-counts.ts'
import type { TopicFacts } from './task.ts'

/** Everything about topics that tasks need, as of the start. */
export interface TopicCatalogue extends TopicFacts {
  /** Partition counts of the source topics. */
  readonly sources: ReadonlyMap<string, number>
  /** Topics between two subtopologies: the application's own, purged of what is processed. */
  readonly repartition: ReadonlySet<string>
  changelog(store: string): ChangelogIdentity
  deleteRetentionMs(topic: string): number
}

export interface TopicOptions {
  readonly log: Log
  readonly topology: Topology
  readonly appId: string
  readonly replicationFactor: number | undefined
  readonly deadLetterRetentionMs: number
}

/**
 * Describes the topics that the topology reads and writes, and creates changelogs, repartition and dead-letter topics.
 * Errors: PROCESSOR_TOPICS (one is missing, or sources that are read together differ in partitions),
 * LOG_TOPIC_MISMATCH.
 */
export async function prepareTopics(options: TopicOptions): Promise<TopicCatalogue> {
  const { log, topology, appId } = options
  const repartition = new Set(topology.repartitionTopics.map(({ topic }) => topic))
  const named = topology.subtopologies
    .flatMap(({ sourceTopics, sinks }) => [...sourceTopics, ...sinks.map(({ topic }) => topic)])
    .filter((topic) => !repartition.has(topic))
  const existing = await log.admin.describeTopics([...new Set(named)])
  const missing = named.filter((topic) => !existing.has(topic))
  if (missing.length > 0) {
    throw processorError('PROCESSOR_TOPICS', `Topics do not exist: ${missing.join(', ')}. Create them first.`)
  }
  const internal = internalTopics(options, existing)
  await log.admin.ensureTopics(internal)
  const own = await log.admin.describeTopics(internal.map(({ name }) => name))
  const describe = (topic: string): TopicDescription => {
    const found = existing.get(topic) ?? own.get(topic)
    if (found === undefined) throw processorError('PROCESSOR_TOPICS', `Topic ${topic} is gone.`)
    return found
  }
  const sources = new Set(topology.subtopologies.flatMap(({ sourceTopics }) => sourceTopics))
  return {
    repartition,
    sources: new Map([...sources].map((topic) => [topic, describe(topic).partitions])),
    partitions: (topic) => describe(topic).partitions,
    maxMessageBytes: (topic) => describe(topic).settings.maxMessageBytes,
    deleteRetentionMs: (topic) => describe(topic).settings.deleteRetentionMs,
    changelog(store) {
      const topic = changelogTopic(appId, store)
      return { topic, clusterId: log.clusterId, topicId: describe(topic).topicId }
    },
  }
}

function internalTopics(
  { topology, appId, replicationFactor, deadLetterRetentionMs }: TopicOptions,
  existing: ReadonlyMap<string, TopicDescription>,
): TopicSpec[] {
  const copies = replicationFactor === undefined ? {} : { replicationFactor }
  const counts = partitionCounts(
    topology,
    new Map([...existing].map(([topic, description]) => [topic, description.partitions])),
  )
  const between = topology.repartitionTopics.map(({ topic }) => ({
    name: topic,
    partitions: counts.get(topic) ?? 0,
    ...copies,
    // Never by time: the runtime deletes what is processed, and nothing else may.
    settings: { cleanup: 'delete' as const, retentionMs: -1 },
  }))
  const around = topology.subtopologies.flatMap(({ sourceTopics, stores, sinks }) => {
    const own = new Map(sourceTopics.map((topic) => [topic, counts.get(topic) ?? 0]))
    const partitions = Math.max(...own.values())
    const uneven = [...own].filter(([, count]) => count !== partitions)
    for (const { topic, samePartition } of sinks) {
      const count = counts.get(topic) ?? 0
      if (samePartition && count !== partitions) uneven.push([topic, count])
    }
    if (uneven.length > 0) {
      const found = uneven.map(([topic, count]) => `${topic} has ${count}`).join(', ')
      throw processorError(
        'PROCESSOR_TOPICS',
        `Topics that are used together need equal partition counts: ${partitions} expected, but ${found}.`,
      )
    }
    return [
      ...stores.map(({ name }) => ({
        name: changelogTopic(appId, name),
        partitions,
        ...copies,
        settings: { cleanup: 'compact' as const },
      })),
      ...sourceTopics.map((topic) => ({
        name: deadLetterTopic(topic),
        partitions,
        ...copies,
        settings: { cleanup: 'delete' as const, retentionMs: deadLetterRetentionMs },
      })),
    ]
  })
  return [...between, ...around]
}
