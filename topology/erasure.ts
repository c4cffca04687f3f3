/**
 * The one place where types are forgotten and remembered.
 *
 * A finished topology is a list of plain nodes whose types differ, so no list type can hold them exactly. The
 * builder has checked every connection at compile time; these functions say where that check is relied on.
 * No other file of this room casts.
 */
import type { ByteWriter } from '#core'
import type { ErasedSerde, ProcessorNode } from './graph.ts'
import type {
  Cancellable,
  Emit,
  Outputs,
  OutputSpec,
  Processor,
  ProcessorContext,
  Punctuator,
  Stores,
  Stream,
} from './processor.ts'
import type { Serde } from './serde.ts'
import type { StoreOf, StoreSpec } from './store.ts'

/** Relies on the builder: a processor only receives what its `from` carries, with the stores and outputs it named. */
export function eraseInit<K, V, S extends Stores, O extends Readonly<Record<string, unknown>>>(
  init: (context: ProcessorContext<S, O>) => Processor<K, V>,
): ProcessorNode['init'] {
  return init as unknown as ProcessorNode['init']
}

/** A handle for each declared output, typed by it. */
export type OutputStreams<O> = {
  readonly [N in keyof O]: O[N] extends OutputSpec<infer K, infer V> ? Stream<K, V> : never
}

/** Relies on the builder: it makes one handle for every name in O, and a handle carries its types only for the compiler. */
export function typedOutputs<O>(entries: readonly (readonly [string, object])[]): OutputStreams<O> {
  return Object.freeze(Object.fromEntries(entries)) as OutputStreams<O>
}

/** A context from its parts. Relies on the host: the store it lends for a specification is of that specification. */
export function erasedContext(parts: {
  readonly stores: Readonly<Record<string, unknown>>
  readonly emit: Readonly<Record<string, Emit<unknown, unknown>>>
  readonly taskId: string
  readonly streamTime: () => number
  readonly schedule: (punctuator: Punctuator) => Cancellable
}): ProcessorContext<Stores, Outputs> {
  return parts as unknown as ProcessorContext<Stores, Outputs>
}

/** Encodes what arrived at a sink. Relies on the builder: the sink's serdes can write what flows into it. */
export function writeErased(serde: ErasedSerde, value: unknown, out: ByteWriter): void {
  serde.write(value as never, out as never)
}

/** The store behind a specification, with its types again. */
export function typedStore<S extends StoreSpec>(_spec: S, store: unknown): StoreOf<S> {
  return store as StoreOf<S>
}

/** The value of a null field. Relies on the serde: `nullable` says that null is a T. Undefined when it is not. */
export function nullFor<T>(serde: Serde<T>): { readonly value: T } | undefined {
  return serde.nullable === true ? { value: null as T } : undefined
}
