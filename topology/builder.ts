/**
 * Says what to compute. Every call names a node and returns handles of what flows out of it; a handle is the only
 * way to refer to a node, so cycles cannot be written, and its types make a misfit a compile error.
 *
 * Nothing throws before `build`, which reports every problem at once.
 */
import type { Draft, DraftEdge, ProcessorDraft, SourceDraft } from './draft.ts'
import { eraseInit, typedOutputs } from './erasure.ts'
import type { OutputStreams } from './erasure.ts'
import type { Topology } from './graph.ts'
import type { ProcessorSpec, SinkSpec, SourceSpec, Stores, Stream } from './processor.ts'
import { splitIntoSubtopologies } from './subtopologies.ts'
import { checkDrafts } from './validation.ts'

export class TopologyBuilder {
  readonly #drafts: Draft[] = []
  readonly #handles = new Map<object, DraftEdge>()

  /** Reads topics; those that meet in one subtopology must have equal partition counts. */
  source<K, V>(spec: SourceSpec<K, V>): Stream<K, V> {
    const { name, topics, key, value } = spec
    const draft: SourceDraft = { kind: 'source', name, from: [], topics: [...topics], key, value }
    this.#drafts.push(draft)
    return this.#handle(draft, undefined)
  }

  /** A processor with its stores; returns a handle for each output it declares. */
  processor<
    K,
    V,
    S extends Stores = Record<string, never>,
    O extends Readonly<Record<string, unknown>> = Record<string, never>,
  >(spec: ProcessorSpec<K, V, S, O>): OutputStreams<O> {
    const draft: ProcessorDraft = {
      kind: 'processor',
      name: spec.name,
      from: this.#edges(spec.from),
      stores: { ...spec.stores },
      outputs: Object.keys(spec.outputs ?? {}),
      wallClock: spec.wallClock ?? false,
      init: eraseInit((context: Parameters<typeof spec.init>[0]) => spec.init(context)),
    }
    this.#drafts.push(draft)
    return typedOutputs<O>(draft.outputs.map((output) => [output, this.#handle(draft, output)]))
  }

  /** Writes what flows in to a topic. */
  sink<K, V>(spec: SinkSpec<K, V>): void {
    const { name, from, topic, key, value, samePartition = false } = spec
    this.#drafts.push({ kind: 'sink', name, from: this.#edges(from), topic, key, value, samePartition })
  }

  /**
   * The finished topology, frozen. The builder may be used further and built again.
   * @throws MillraceError TOPOLOGY_INVALID; its message has one line a problem, `context.problems` has their codes
   */
  build(): Topology {
    checkDrafts(this.#drafts)
    return splitIntoSubtopologies(this.#drafts)
  }

  #handle(draft: SourceDraft | ProcessorDraft, output: string | undefined): Stream<never, never> {
    const handle = Object.freeze({ node: draft.name, output })
    this.#handles.set(handle, { draft, output })
    return handle
  }

  #edges(from: object | readonly object[]): (DraftEdge | undefined)[] {
    const handles: readonly object[] = Array.isArray(from) ? from : [from]
    return handles.map((handle) => this.#handles.get(handle))
  }
}
