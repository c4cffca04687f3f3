import type { TopicPartition } from './log.ts'

/** The partitions of a topic that has `count` of them, in order. */
export function everyPartition(topic: string, count: number): TopicPartition[] {
  return Array.from({ length: count }, (_, partition) => ({ topic, partition }))
}

/** For messages, and as a key of maps: no topic and partition have the name of another. */
export function partitionName({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}
