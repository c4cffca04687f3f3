/**
 * Splits checked drafts into subtopologies, numbered as Kafka Streams numbers them: by the order in which their
 * first nodes were added (InternalTopologyBuilder.makeNodeGroups).
 *
 * Nodes belong together when an edge, a shared store or a shared source topic connects them. The last is ours: Kafka
 * Streams refuses a topic read by two sources; a group has one position in a partition, so here one task reads it.
 */
import { compareText } from './compare-text.ts'
import type { Draft, ProcessorDraft } from './draft.ts'
import type { ProcessorNode, SinkNode, Subtopology, Topology, TopologyNode } from './graph.ts'
import type { StoreSpec } from './store.ts'

export function splitIntoSubtopologies(drafts: readonly Draft[]): Topology {
  const successors = successorsOf(drafts)
  const groups = groupsOf(drafts)
  const subtopologies = groups.map((group, id) =>
    subtopologyOf(
      id,
      group.map((draft) => nodeOf(draft, successors)),
    ),
  )
  const repartitionTopics = drafts.flatMap((draft) =>
    draft.kind === 'source' && draft.repartition ? Object.freeze({ ...draft.repartition }) : [],
  )
  return Object.freeze({
    subtopologies: Object.freeze(subtopologies),
    repartitionTopics: Object.freeze(repartitionTopics.toSorted((a, b) => compareText(a.topic, b.topic))),
  })
}

/** Each group's drafts in the order they were added; the groups in the order of their ids. */
export function groupsOf(drafts: readonly Draft[]): Draft[][] {
  const parents = new Map<unknown, unknown>()
  const rootOf = (member: unknown): unknown => {
    let root = member
    for (let up = parents.get(root); up !== undefined; up = parents.get(root)) root = up
    return root
  }
  const unite = (one: unknown, other: unknown): void => {
    const [from, to] = [rootOf(one), rootOf(other)]
    if (from !== to) parents.set(from, to)
  }
  for (const draft of drafts) {
    for (const edge of draft.from) if (edge) unite(draft, edge.draft)
    if (draft.kind === 'source') for (const topic of draft.topics) unite(draft, `topic ${topic}`)
    if (draft.kind === 'processor') for (const store of Object.values(draft.stores)) unite(draft, store)
  }
  const groups = new Map<unknown, Draft[]>()
  for (const draft of drafts) {
    const root = rootOf(draft)
    const group = groups.get(root)
    if (group === undefined) groups.set(root, [draft])
    else group.push(draft)
  }
  return [...groups.values()]
}

function subtopologyOf(id: number, nodes: readonly TopologyNode[]): Subtopology {
  const topics = new Set<string>()
  const stores = new Map<string, StoreSpec>()
  for (const node of nodes) {
    if (node.kind === 'source') for (const topic of node.topics) topics.add(topic)
    if (node.kind === 'processor')
      for (const store of Object.values(node.stores)) stores.set(store.name, store)
  }
  return Object.freeze({
    id,
    nodes: Object.freeze([...nodes]),
    sourceTopics: Object.freeze([...topics].toSorted(compareText)),
    stores: Object.freeze([...stores.values()].toSorted((a, b) => compareText(a.name, b.name))),
    sinks: Object.freeze(nodes.filter((node): node is SinkNode => node.kind === 'sink')),
  })
}

/** For each draft what is attached to it, by output; a source has the one output ''. */
function successorsOf(drafts: readonly Draft[]): Map<Draft, Map<string, string[]>> {
  const successors = new Map<Draft, Map<string, string[]>>()
  for (const draft of drafts) {
    const outputs = draft.kind === 'processor' ? draft.outputs : ['']
    successors.set(draft, new Map(outputs.map((output) => [output, []])))
  }
  for (const draft of drafts) {
    for (const edge of draft.from) {
      if (edge)
        successors
          .get(edge.draft)
          ?.get(edge.output ?? '')
          ?.push(draft.name)
    }
  }
  return successors
}

function nodeOf(draft: Draft, successors: ReadonlyMap<Draft, ReadonlyMap<string, string[]>>): TopologyNode {
  const attached = successors.get(draft) ?? new Map<string, string[]>()
  const base = {
    name: draft.name,
    predecessors: unique(draft.from.flatMap((edge) => (edge ? [edge.draft.name] : []))),
    successors: unique([...attached.values()].flat()),
  }
  if (draft.kind === 'processor') return Object.freeze(processorNodeOf(draft, base, attached))
  if (draft.kind === 'source') {
    const { kind, topics, key, value } = draft
    return Object.freeze({ ...base, kind, topics: Object.freeze([...topics]), key, value })
  }
  const { kind, topic, key, value, samePartition } = draft
  return Object.freeze({ ...base, kind, topic, key, value, samePartition })
}

function processorNodeOf(
  draft: ProcessorDraft,
  base: Pick<ProcessorNode, 'name' | 'predecessors' | 'successors'>,
  attached: ReadonlyMap<string, string[]>,
): ProcessorNode {
  const outputs = Object.fromEntries([...attached].map(([name, nodes]) => [name, Object.freeze([...nodes])]))
  return {
    ...base,
    kind: 'processor',
    stores: Object.freeze({ ...draft.stores }),
    outputs: Object.freeze(outputs),
    wallClock: draft.wallClock,
    init: draft.init,
  }
}

function unique(names: readonly string[]): readonly string[] {
  return Object.freeze([...new Set(names)])
}
