/** A topology as plain JSON, to be kept and compared with a later one. */
import { compareText } from './compare-text.ts'
import { inDescriptionOrder, sorted } from './describe.ts'
import type { Subtopology, Topology, TopologyNode } from './graph.ts'
import type { StoreSpec } from './store.ts'

export interface TopologyDescription {
  readonly subtopologies: readonly SubtopologyDescription[]
  readonly repartitionTopics: readonly RepartitionTopicDescription[]
}

export interface RepartitionTopicDescription {
  readonly topic: string
  /** Left out when the runtime chooses. */
  readonly partitions?: number
}

export interface SubtopologyDescription {
  readonly id: number
  readonly sourceTopics: readonly string[]
  readonly sinkTopics: readonly string[]
  readonly stores: readonly StoreDescription[]
  readonly nodes: readonly NodeDescription[]
}

export interface StoreDescription {
  readonly name: string
  readonly kind: StoreSpec['kind']
  readonly persistent: boolean
  /** Names of serdes. `member` is there for sets only. */
  readonly key: string
  readonly member?: string
  readonly value: string
  /** The changelog topic's name after `<application id>-`. */
  readonly changelog: string
  /** True for the changelog that also carries the task's input position. */
  readonly holdsPosition: boolean
}

/** Names of serdes in `key` and `value`. */
export type NodeDescription =
  | {
      readonly kind: 'source'
      readonly name: string
      readonly topics: readonly string[]
      readonly key: string
      readonly value: string
      readonly successors: readonly string[]
    }
  | {
      readonly kind: 'processor'
      readonly name: string
      readonly stores: readonly string[]
      /** For each output the nodes attached to it. */
      readonly outputs: Readonly<Record<string, readonly string[]>>
      /** There, and true, when it may schedule by wall clock: a replay of the input then gives other outputs. */
      readonly wallClock?: true
      readonly predecessors: readonly string[]
    }
  | {
      readonly kind: 'sink'
      readonly name: string
      readonly topic: string
      readonly key: string
      readonly value: string
      readonly samePartition: boolean
      readonly predecessors: readonly string[]
    }

/** Plain JSON in a stable order: for a given split into subtopologies, the order of the code does not show. */
export function describeJson(topology: Topology): TopologyDescription {
  return {
    subtopologies: topology.subtopologies.map(describeSubtopology),
    repartitionTopics: topology.repartitionTopics.map(({ topic, partitions }) =>
      partitions === undefined ? { topic } : { topic, partitions },
    ),
  }
}

function describeSubtopology(subtopology: Subtopology): SubtopologyDescription {
  return {
    id: subtopology.id,
    sourceTopics: subtopology.sourceTopics,
    sinkTopics: sorted(subtopology.sinks.map(({ topic }) => topic)),
    stores: subtopology.stores.map(describeStore),
    nodes: inDescriptionOrder(subtopology).map(describeNode),
  }
}

function describeStore(spec: StoreSpec, index: number): StoreDescription {
  return {
    name: spec.name,
    kind: spec.kind,
    persistent: spec.persistent,
    key: spec.key.name,
    ...(spec.kind === 'set' ? { member: spec.member.name } : {}),
    value: spec.value.name,
    changelog: `${spec.name}-changelog`,
    holdsPosition: index === 0,
  }
}

function describeNode(node: TopologyNode): NodeDescription {
  const { kind, name } = node
  const [predecessors, successors] = [sorted(node.predecessors), sorted(node.successors)]
  if (kind === 'source') {
    const { topics, key, value } = node
    return { kind, name, topics: sorted(topics), key: key.name, value: value.name, successors }
  }
  if (kind === 'sink') {
    const { topic, key, value, samePartition } = node
    return { kind, name, topic, key: key.name, value: value.name, samePartition, predecessors }
  }
  const stores = sorted(Object.values(node.stores).map((store) => store.name))
  const outputs = Object.entries(node.outputs).toSorted(([a], [b]) => compareText(a, b))
  return {
    kind,
    name,
    stores,
    outputs: Object.fromEntries(outputs.map(([output, nodes]) => [output, sorted(nodes)])),
    ...(node.wallClock ? { wallClock: true } : {}),
    predecessors,
  }
}
