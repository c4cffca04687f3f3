import type { TopicPartition } from '../../index.ts'

/**
 * Runs of neighbours of one topic, as requests nest partitions. A topic may come again later: the order of the
 * partitions says which are served first.
 */
export function byTopic<T extends TopicPartition>(
  items: readonly T[],
): { readonly topic: string; readonly partitions: T[] }[] {
  const runs: { readonly topic: string; readonly partitions: T[] }[] = []
  for (const item of items) {
    const last = runs.at(-1)
    if (last?.topic === item.topic) last.partitions.push(item)
    else runs.push({ topic: item.topic, partitions: [item] })
  }
  return runs
}

/** One run a topic, for requests that must not name a topic twice. */
export function groupedByTopic<T extends TopicPartition>(
  items: readonly T[],
): { readonly topic: string; readonly partitions: readonly T[] }[] {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(item.topic)
    if (group === undefined) groups.set(item.topic, [item])
    else group.push(item)
  }
  return [...groups].map(([topic, partitions]) => ({ topic, partitions }))
}
