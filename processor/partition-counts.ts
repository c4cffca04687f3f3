/** How many partitions the topics between subtopologies get. Pure. */
import type { Subtopology, Topology } from '#topology'
import { processorError } from './errors.ts'

/**
 * Partition counts of all topics that the topology names, from those of the topics that are there.
 *
 * A repartition topic has the count that was asked for. Else it must fit to what its reader reads beside it; else it
 * gets the most that any topic before it has.
 *
 * Errors: PROCESSOR_TOPICS (the counts depend on each other in a circle).
 */
export function partitionCounts(
  topology: Topology,
  existing: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const counts = new Map(existing)
  const open = new Set<string>()
  for (const { topic, partitions } of topology.repartitionTopics) {
    if (partitions === undefined) open.add(topic)
    else counts.set(topic, partitions)
  }
  while (open.size > 0) {
    const before = open.size
    for (const { sourceTopics } of topology.subtopologies) {
      const undecided = sourceTopics.filter((topic) => open.has(topic))
      const count = countFor(undecided, sourceTopics, topology, counts)
      if (count === undefined) continue
      for (const topic of undecided) {
        counts.set(topic, count)
        open.delete(topic)
      }
    }
    if (open.size < before) continue
    throw processorError(
      'PROCESSOR_TOPICS',
      `The partition counts of ${[...open].join(', ')} depend on each other. Give "partitions" to one of the repartitions.`,
    )
  }
  return counts
}

/** The count that all undecided topics of one reader get; undefined when there are none, or it is not known yet. */
function countFor(
  undecided: readonly string[],
  sourceTopics: readonly string[],
  topology: Topology,
  counts: ReadonlyMap<string, number>,
): number | undefined {
  if (undecided.length === 0) return undefined
  const beside = sourceTopics.flatMap((topic) => counts.get(topic) ?? [])
  if (beside.length > 0) return Math.max(...beside)
  const writers = topology.subtopologies.filter((part) => writesTo(part, undecided))
  const before = writers.flatMap((writer) => writer.sourceTopics.map((topic) => counts.get(topic)))
  return before.includes(undefined) ? undefined : Math.max(...before.map((count) => count ?? 0))
}

function writesTo({ sinks }: Subtopology, topics: readonly string[]): boolean {
  return sinks.some(({ topic }) => topics.includes(topic))
}
