/** The finished topology: frozen plain nodes, split into subtopologies as Kafka Streams does it. */
import type { Processor, ProcessorContext, Outputs, Stores } from './processor.ts'
import type { StoreSpec } from './store.ts'

/** A serde whose types are no longer known; the builder has checked that they fit. */
export type ErasedSerde = StoreSpec['key']

interface NodeBase {
  readonly name: string
  /** Names of the nodes that feed this one, in the order they were attached. */
  readonly predecessors: readonly string[]
  /** Names of the nodes this one feeds, in the order they were attached. */
  readonly successors: readonly string[]
}

export interface SourceNode extends NodeBase {
  readonly kind: 'source'
  readonly topics: readonly string[]
  readonly key: ErasedSerde
  readonly value: ErasedSerde
}

export interface ProcessorNode extends NodeBase {
  readonly kind: 'processor'
  /** By the name under which the processor sees them. */
  readonly stores: Stores
  /** For each output the nodes attached to it. */
  readonly outputs: Readonly<Record<string, readonly string[]>>
  /** True when it may schedule by wall clock: then a replay gives other outputs. */
  readonly wallClock: boolean
  readonly init: (context: ProcessorContext<Stores, Outputs>) => Processor<unknown, unknown>
}

export interface SinkNode extends NodeBase {
  readonly kind: 'sink'
  readonly topic: string
  readonly key: ErasedSerde
  readonly value: ErasedSerde
  readonly samePartition: boolean
}

export type TopologyNode = SourceNode | ProcessorNode | SinkNode

/** A connected part: its tasks run apart from those of others, one for each partition of its source topics. */
export interface Subtopology {
  readonly id: number
  readonly nodes: readonly TopologyNode[]
  /** Sorted. All have the same number of partitions (co-partitioned). */
  readonly sourceTopics: readonly string[]
  /** Sorted by name; changelogs and positions follow this order. */
  readonly stores: readonly StoreSpec[]
  readonly sinks: readonly SinkNode[]
}

/** A topic of the application's own that leads from subtopologies into another one. */
export interface RepartitionTopic {
  /** `<name>-repartition`; once the application id is known (`withAppId`) `<app>-<name>-repartition`. */
  readonly topic: string
  /** The count that was asked for; undefined leaves it to the runtime. */
  readonly partitions: number | undefined
}

export interface Topology {
  readonly subtopologies: readonly Subtopology[]
  /** Sorted by topic. */
  readonly repartitionTopics: readonly RepartitionTopic[]
}

export function taskIdOf(subtopology: number, partition: number): string {
  return `${subtopology}_${partition}`
}
