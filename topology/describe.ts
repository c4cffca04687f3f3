import { compareText } from './compare-text.ts'
import type { Subtopology, Topology, TopologyNode } from './graph.ts'

/**
 * The text that Kafka Streams prints (`TopologyDescription.toString`), so that its tools and eyes trained on it work:
 * three spaces before the first subtopology and two before the others, a blank line after each. A processor that may
 * punctuate by wall clock has a line more, which tools that read this text pass over.
 */
export function describe(topology: Topology): string {
  const parts = topology.subtopologies.map((subtopology) => {
    const nodes = inDescriptionOrder(subtopology).map((node) => `    ${lineOf(node, subtopology)}\n`)
    return `  Sub-topology: ${subtopology.id}\n${nodes.join('')}\n`
  })
  return `Topologies:\n ${parts.join('')}`
}

function lineOf(node: TopologyNode, subtopology: Subtopology): string {
  const [to, from] = [node.successors, node.predecessors].map((names) => neighboursOf(names, subtopology))
  if (node.kind === 'source') {
    return `Source: ${node.name} (topics: [${sorted(node.topics).join(', ')}])\n      --> ${to}`
  }
  if (node.kind === 'sink') return `Sink: ${node.name} (topic: ${node.topic})\n      <-- ${from}`
  const stores = sorted(Object.values(node.stores).map(({ name }) => name))
  const wallClock = node.wallClock ? '\n      wall clock: a replay gives other outputs' : ''
  return `Processor: ${node.name} (stores: [${stores.join(', ')}])\n      --> ${to}\n      <-- ${from}${wallClock}`
}

function neighboursOf(names: readonly string[], subtopology: Subtopology): string {
  const nodes = inDescriptionOrder(subtopology).filter(({ name }) => names.includes(name))
  return nodes.length === 0 ? 'none' : nodes.map(({ name }) => name).join(', ')
}

/**
 * Kafka Streams' order: the node with the larger tree below it first, then by name. It counts a node once for each
 * path that leads to it.
 */
export function inDescriptionOrder({ nodes }: Subtopology): TopologyNode[] {
  const sizes = new Map<string, number>()
  // Successors are always added after the nodes that feed them, so from the back every size below is known.
  for (const node of nodes.toReversed()) {
    sizes.set(
      node.name,
      node.successors.reduce((size, name) => size + (sizes.get(name) ?? 0), 1),
    )
  }
  const sizeOf = (node: TopologyNode): number => sizes.get(node.name) ?? 0
  return nodes.toSorted((a, b) => sizeOf(b) - sizeOf(a) || compareText(a.name, b.name))
}

/** Without repetitions. */
export function sorted(names: readonly string[]): string[] {
  return [...new Set(names)].toSorted(compareText)
}
