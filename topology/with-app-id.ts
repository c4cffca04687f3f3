import { compareText } from './compare-text.ts'
import type { Subtopology, Topology, TopologyNode } from './graph.ts'

/**
 * The topology as one application runs it: repartition topics get their full names, `<app>-<name>-repartition`. To be
 * applied once, to what `build` returned. Everything else, the order of source topics apart, stays as it is.
 */
export function withAppId(topology: Topology, appId: string): Topology {
  const names = new Map(topology.repartitionTopics.map(({ topic }) => [topic, `${appId}-${topic}`]))
  if (names.size === 0) return topology
  const nameOf = (topic: string): string => names.get(topic) ?? topic
  const repartitionTopics = topology.repartitionTopics.map(({ topic, partitions }) =>
    Object.freeze({ topic: nameOf(topic), partitions }),
  )
  return Object.freeze({
    subtopologies: Object.freeze(topology.subtopologies.map((part) => renamed(part, nameOf))),
    repartitionTopics: Object.freeze(repartitionTopics),
  })
}

function renamed(subtopology: Subtopology, nameOf: (topic: string) => string): Subtopology {
  const nodes = subtopology.nodes.map((node): TopologyNode => {
    if (node.kind === 'source') {
      return Object.freeze({ ...node, topics: Object.freeze(node.topics.map(nameOf)) })
    }
    return node.kind === 'sink' ? Object.freeze({ ...node, topic: nameOf(node.topic) }) : node
  })
  return Object.freeze({
    ...subtopology,
    nodes: Object.freeze(nodes),
    sourceTopics: Object.freeze(subtopology.sourceTopics.map(nameOf).toSorted(compareText)),
    sinks: Object.freeze(nodes.filter((node) => node.kind === 'sink')),
  })
}
