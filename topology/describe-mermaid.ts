import { compareText } from './compare-text.ts'
import { inDescriptionOrder, sorted } from './describe.ts'
import type { ProcessorNode, Subtopology, Topology, TopologyNode } from './graph.ts'

/**
 * A Mermaid flowchart, as Markdown pages of GitHub and others draw it: subtopologies are boxes, stores cylinders,
 * topics rounded, and edges out of a processor bear the name of the output. Ids follow from names alone, so a change
 * of the topology changes only the lines about it.
 */
export function describeMermaid(topology: Topology): string {
  const { subtopologies } = topology
  const nodes = subtopologies.flatMap(inDescriptionOrder)
  const lines = [
    'flowchart TD',
    ...topicsOf(nodes).map((topic) => `  ${idOf('topic', topic)}([${label(topic)}])`),
    ...subtopologies.flatMap(subgraphOf),
    ...nodes.flatMap(edgesOf),
  ]
  return `${lines.join('\n')}\n`
}

function subgraphOf(subtopology: Subtopology): string[] {
  return [
    `  subgraph ${idOf('subtopology', String(subtopology.id))} [${label(`Sub-topology: ${subtopology.id}`)}]`,
    ...inDescriptionOrder(subtopology).map((node) => `    ${idOf('node', node.name)}[${nodeLabel(node)}]`),
    ...subtopology.stores.map(({ name }) => `    ${idOf('store', name)}[(${label(name)})]`),
    '  end',
  ]
}

function nodeLabel(node: TopologyNode): string {
  return node.kind === 'processor' && node.wallClock ? label(node.name, 'wall clock') : label(node.name)
}

function edgesOf(node: TopologyNode): string[] {
  const id = idOf('node', node.name)
  if (node.kind === 'sink') return [`  ${id} --> ${idOf('topic', node.topic)}`]
  if (node.kind === 'processor') return processorEdges(node, id)
  return [
    ...sorted(node.topics).map((topic) => `  ${idOf('topic', topic)} --> ${id}`),
    ...sorted(node.successors).map((name) => `  ${id} --> ${idOf('node', name)}`),
  ]
}

function processorEdges(node: ProcessorNode, id: string): string[] {
  const outputs = Object.entries(node.outputs).toSorted(([a], [b]) => compareText(a, b))
  const stores = sorted(Object.values(node.stores).map(({ name }) => name))
  return [
    ...outputs.flatMap(([output, names]) =>
      sorted(names).map((name) => `  ${id} -->|${label(output)}| ${idOf('node', name)}`),
    ),
    ...stores.map((store) => `  ${id} --- ${idOf('store', store)}`),
  ]
}

function topicsOf(nodes: readonly TopologyNode[]): string[] {
  return sorted(
    nodes.flatMap((node) =>
      node.kind === 'source' ? node.topics : node.kind === 'sink' ? [node.topic] : [],
    ),
  )
}

/** Different for different names; the kind in front also keeps it from being one of Mermaid's words, such as `end`. */
function idOf(kind: 'topic' | 'subtopology' | 'node' | 'store', name: string): string {
  return `${kind}_${name.replaceAll(/[^A-Za-z0-9]/gu, (letter) => `_${codeOf(letter).toString(16)}_`)}`
}

/** Quoted; what could end the quotation or mean something to Mermaid is written as an entity code. */
function label(...lines: readonly string[]): string {
  const escaped = lines.map((line) =>
    line.replaceAll(/["#&<>`\\|[\]\r\n]/gu, (letter) => `#${codeOf(letter)};`),
  )
  return `"${escaped.join('<br/>')}"`
}

function codeOf(letter: string): number {
  return letter.codePointAt(0) ?? 0
}
