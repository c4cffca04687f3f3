import type { MetadataAnswer } from './protocol/metadata.ts'

interface PartitionMetadata {
  /** Node id; -1 while there is none. */
  readonly leader: number
  readonly leaderEpoch: number
  readonly replicas: number
}

export interface TopicMetadata {
  readonly topicId: string
  /** By partition number. */
  readonly partitions: readonly PartitionMetadata[]
}

/**
 * What is known of a topic after an answer about it. A broker that lags behind may still name the leader before, and going
 * back to that one would be in vain: of two leaders of the same topic the one of the greater epoch counts.
 */
export function newest(
  before: TopicMetadata | undefined,
  topicId: string,
  heard: MetadataAnswer['topics'][number]['partitions'],
): TopicMetadata {
  const partitions: PartitionMetadata[] = []
  for (const { partition, leader, leaderEpoch, replicas } of heard) {
    const old = before?.topicId === topicId ? before.partitions[partition] : undefined
    partitions[partition] =
      old !== undefined && old.leaderEpoch > leaderEpoch
        ? old
        : { leader, leaderEpoch, replicas: replicas.length }
  }
  return { topicId, partitions }
}
