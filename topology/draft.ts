/** What the builder has been told so far: nodes not yet checked, connected by reference instead of by name. */
import type { ErasedSerde, ProcessorNode, RepartitionTopic } from './graph.ts'
import type { Stores } from './processor.ts'

interface DraftBase {
  readonly name: string
  /** In the order given; undefined stands for a handle that this builder did not make. */
  readonly from: readonly (DraftEdge | undefined)[]
}

export interface SourceDraft extends DraftBase {
  readonly kind: 'source'
  /** Set when it is the second half of a repartition. */
  readonly repartition: RepartitionTopic | undefined
  readonly topics: readonly string[]
  readonly key: ErasedSerde
  readonly value: ErasedSerde
}

export interface ProcessorDraft extends DraftBase {
  readonly kind: 'processor'
  readonly stores: Stores
  readonly outputs: readonly string[]
  readonly wallClock: boolean
  readonly init: ProcessorNode['init']
}

export interface SinkDraft extends DraftBase {
  readonly kind: 'sink'
  /** Set when it is the first half of a repartition. */
  readonly repartition: RepartitionTopic | undefined
  readonly topic: string
  readonly key: ErasedSerde
  readonly value: ErasedSerde
  readonly samePartition: boolean
}

export type Draft = SourceDraft | ProcessorDraft | SinkDraft

/** Where a handle points: a source, or one output of a processor. */
export interface DraftEdge {
  readonly draft: SourceDraft | ProcessorDraft
  readonly output: string | undefined
}
