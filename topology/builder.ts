/**
 * Says what to compute. Every call names a node and returns handles of what flows out of it; a handle is the only
 * way to refer to a node, so cycles cannot be written, and its types make a misfit a compile error.
 *
 * Nothing throws before `build`, which reports every problem at once.
 */
import type { Draft, DraftEdge, ProcessorDraft, SinkDraft, SourceDraft } from './draft.ts'
import { eraseInit, typedOutputs } from './erasure.ts'
import type { OutputStreams } from './erasure.ts'
import type { Topology } from './graph.ts'
import type { ProcessorSpec, RepartitionSpec, SinkSpec, SourceSpec, Stores, Stream } from './processor.ts'
import { splitIntoSubtopologies } from './subtopologies.ts'
import { checkDrafts } from './validation.ts'

export class TopologyBuilder {
  readonly #drafts: Draft[] = []
  readonly #handles = new Map<object, DraftEdge>()

  /** Reads topics; those that meet in one subtopology must have equal partition counts. */
  source<K, V>(spec: SourceSpec<K, V>): Stream<K, V> {
    const { name, topics, key, value } = spec
    return this.#source({ name, topics: [...topics], key, value, repartition: undefined })
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
    this.#sink({ name, from: this.#edges(from), topic, key, value, samePartition, repartition: undefined })
  }

  /**
   * Sends a stream through a topic of the application's own, partitioned anew by its keys (murmur2, as Java does it):
   * afterwards all records of one key meet in one task, however the input was partitioned. It ends one subtopology
   * and begins another. The nodes are `<name>-repartition-sink` and `<name>-repartition-source`, the topic is
   * `<app>-<name>-repartition` (`<name>-repartition` before the application id is known). The runtime owns it: it
   * deletes what is processed.
   *
   * Timestamps and headers travel along. Records of one task keep their order; how those of several tasks mix in the
   * topic depends on when each of them ran. So what comes after is exactly once, but not replayable: replaying the
   * input may give it in another order.
   */
  repartition<K, V>(spec: RepartitionSpec<K, V>): Stream<K, V> {
    const { key, value } = spec
    const repartition = { topic: `${spec.name}-repartition`, partitions: spec.partitions }
    const { topic } = repartition
    const from = this.#edges(spec.from)
    this.#sink({ name: `${topic}-sink`, from, topic, key, value, samePartition: false, repartition })
    return this.#source({ name: `${topic}-source`, topics: [topic], key, value, repartition })
  }

  /**
   * The finished topology, frozen. The builder may be used further and built again.
   * @throws MillraceError TOPOLOGY_INVALID; its message has one line a problem, `context.problems` has their codes
   */
  build(): Topology {
    checkDrafts(this.#drafts)
    return splitIntoSubtopologies(this.#drafts)
  }

  #source(draft: Omit<SourceDraft, 'kind' | 'from'>): Stream<never, never> {
    const whole: SourceDraft = { kind: 'source', from: [], ...draft }
    this.#drafts.push(whole)
    return this.#handle(whole, undefined)
  }

  #sink(draft: Omit<SinkDraft, 'kind'>): void {
    this.#drafts.push({ kind: 'sink', ...draft })
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
