import type { TopicPartition } from './log.ts'

/** The partitions of a topic that has `count` of them, in order. */
export function everyPartition(topic: string, count: number): TopicPartition[] {
  return Array.from({ length: count }, (_, partition) => ({ topic, partition }))
}
