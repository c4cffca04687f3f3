/** What a user writes: processors with typed stores and typed outputs. */
import type { ByteWriter, RecordHeaders } from '#core'
import type { Serde } from './serde.ts'
import type { StoreOf, StoreSpec } from './store.ts'

/** One input record, decoded. Valid during `process` only; keep its fields, not the record. */
export interface StreamRecord<K, V> {
  readonly key: K
  readonly value: V
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** The record's own timestamp, milliseconds since the epoch. */
  readonly timestamp: number
  readonly headers: RecordHeaders
}

/** An outgoing edge of a processor with the types of what travels on it. */
export interface OutputSpec<K, V> {
  readonly key?: K
  readonly value?: V
}

/** Declares the types of an output: `outputs: { result: output<string, Result>() }`. */
export function output<K, V>(): OutputSpec<K, V> {
  return {}
}

/** Sends to everything attached to one output. Timestamp and headers default to those of the record in process. */
export type Emit<K, V> = (key: K, value: V, options?: EmitOptions) => void

export interface EmitOptions {
  readonly timestamp?: number
  readonly headers?: RecordHeaders
}

export type Stores = Readonly<Record<string, StoreSpec>>
export type Outputs = Readonly<Record<string, OutputSpec<never, never>>>

export interface ProcessorContext<S extends Stores, O extends Readonly<Record<string, unknown>>> {
  readonly stores: { readonly [N in keyof S]: StoreOf<S[N]> }
  readonly emit: { readonly [N in keyof O]: O[N] extends OutputSpec<infer K, infer V> ? Emit<K, V> : never }
  /** `<subtopology>_<partition>`, as Kafka Streams names tasks. */
  readonly taskId: string
  /** The greatest record timestamp this task has seen, the current one included: the only time a processor may use. */
  streamTime(): number
}

export interface Processor<K, V> {
  process(record: StreamRecord<K, V>): void
  /**
   * Called when `process` threw, after everything the record did was rolled back and the record was queued for the
   * dead-letter topic: a last chance to answer it. What this throws stops the task.
   */
  onPoison?(record: StreamRecord<K, V>, error: unknown): void
}

export interface ProcessorSpec<K, V, S extends Stores, O extends Readonly<Record<string, unknown>>> {
  /** Chosen by the user, unique in the topology; state and metrics hang on it. */
  readonly name: string
  readonly from: Stream<K, V> | readonly Stream<K, V>[]
  readonly stores?: S
  readonly outputs?: O
  /** Called once a task, before its first record. Must not touch stores or emit. */
  init(context: ProcessorContext<S, O>): Processor<K, V>
}

declare const streamTypes: unique symbol

/** A handle to what flows out of a source or a processor's output: pass it as `from`. */
export interface Stream<K, V> {
  readonly node: string
  /** The output's name; undefined for a source. */
  readonly output: string | undefined
  readonly [streamTypes]?: readonly [K, V]
}

export interface SourceSpec<K, V> {
  readonly name: string
  readonly topics: readonly string[]
  readonly key: Serde<K>
  readonly value: Serde<V>
}

/**
 * A serde that can write every T. `write` is a property and not a method so that TypeScript compares it strictly:
 * a serde of `Result` must not stand where `Result | null` flows.
 */
export interface SinkSerde<T> {
  readonly name: string
  readonly nullable?: boolean
  readonly write: (value: T, out: ByteWriter) => void
  read(buffer: Buffer, start: number, end: number): unknown
}

export interface SinkSpec<K, V> {
  readonly name: string
  readonly from: Stream<K, V> | readonly Stream<K, V>[]
  readonly topic: string
  readonly key: SinkSerde<NoInfer<K>>
  readonly value: SinkSerde<NoInfer<V>>
  /** Writes to the partition number of the task instead of the key's: results then sit beside their input. */
  readonly samePartition?: boolean
}
