import type { TopicPartition } from '#log'
import type { Topology } from '#topology'

/** One task of a topology. */
export interface TaskPartitions {
  /** `<subtopology>_<partition>`. */
  readonly id: string
  readonly partition: number
  /** One of each source topic. */
  readonly partitions: readonly TopicPartition[]
  /** It keeps state, which somebody who does not have it has to restore first. */
  readonly isStateful: boolean
}

/**
 * All tasks of a topology, partition by partition, so that neighbours are of different subtopologies. A topic missing
 * from the counts gives no tasks.
 */
export function tasksOf(topology: Topology, partitionCounts: ReadonlyMap<string, number>): TaskPartitions[] {
  return topology.subtopologies
    .flatMap(({ id, sourceTopics, stores }) => {
      const counts = sourceTopics.map((topic) => partitionCounts.get(topic) ?? 0)
      return Array.from({ length: Math.min(...counts) }, (_, partition) => ({
        id: `${id}_${partition}`,
        partition,
        partitions: sourceTopics.map((topic) => ({ topic, partition })),
        isStateful: stores.length > 0,
      }))
    })
    .toSorted((a, b) => a.partition - b.partition)
}
