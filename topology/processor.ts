/** What a user writes: processors with typed stores and typed outputs. */
import type { ByteWriter, RecordHeaders } from '#core'
import type { Serde } from './serde.ts'
import type { StoreOf, StoreSpec } from './store.ts'

/**
 * One input record, decoded. Valid during `process` only; keep its fields, not the record. What a punctuator emitted
 * comes from no topic: its `topic` is empty and its `offset` -1.
 */
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

/**
 * Sends to everything attached to one output. Timestamp and headers default to those of the record in process; in a
 * punctuator to its instant and no headers.
 */
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
  readonly streamTime: () => number
  /**
   * Calls a punctuator again and again, from the next multiple of `every` on. Inside `process` and `punctuate` it
   * belongs to the savepoint: when the record fails, nothing was scheduled.
   *
   * Timers are not stored. Those set in `init` are there again after a restart, a move and a rollback; those set or
   * cancelled elsewhere are gone, and `Processor.resume` has to set them from the stores. By stream time this is
   * required, since the outputs would otherwise depend on restarts.
   *
   * Errors, all to be corrected in the code: TOPOLOGY_INVALID_TIMER, TOPOLOGY_DUPLICATE_TIMER (the processor has one
   * of this name), TOPOLOGY_TIMER_NOT_RESUMABLE (by stream time outside `init`, without a `resume`),
   * TOPOLOGY_WALL_CLOCK_UNDECLARED, TOPOLOGY_SCHEDULE_OUTSIDE_PROCESS.
   */
  readonly schedule: (punctuator: Punctuator) => Cancellable
}

/**
 * The time that drives a punctuator.
 *
 * - `stream-time`: fires when a record moves the task's stream time to an instant or past it, before that record is
 *   processed and in the same transaction. It follows from the input alone: a replay fires the same. Without input
 *   nothing fires; the first record of a partition only starts the time.
 * - `wall-clock`: fires by the clock of the machine, also without input. This costs determinism: outputs and state
 *   depend on when the program runs, a replay gives others, and what fell into a time without the task never fires.
 *   An instant fires once even if the clock is set back, and again when its transaction was not committed.
 *   The processor must declare `wallClock: true`, which descriptions show.
 */
export type PunctuationTime = 'stream-time' | 'wall-clock'

export interface Punctuator {
  /** Unique in its processor, 1 to 100 of A-Z a-z 0-9 . _ - with a letter or digit first; shown in logs. */
  readonly name: string
  /** Milliseconds, a whole number from 1 on. Due are the multiples of it since the epoch. */
  readonly every: number
  readonly by: PunctuationTime
  /**
   * Writes to stores and emits as `process` does, and is a savepoint of its own: when it throws, its effects are
   * taken back, and the poison handler `fail` stops, otherwise it is skipped until its next time.
   *
   * @param timestamp the instant passed last, milliseconds since the epoch; several passed at once are one call
   */
  punctuate(timestamp: number): void
}

export interface Cancellable {
  /** Idempotent. Inside `process` and `punctuate` it belongs to the savepoint. Errors: as `schedule`. */
  cancel(): void
}

export interface Processor<K, V> {
  process(record: StreamRecord<K, V>): void
  /**
   * Sets the timers that follow from the stores, with the timers of `init` and no others in place. Called once the
   * state is restored, and again whenever uncommitted work was dropped. Must not write or emit.
   */
  resume?(): void
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
  /** Allows punctuators by wall clock, which cost determinism. Default false. */
  readonly wallClock?: boolean
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

/** A new partitioning by the stream's key; see TopologyBuilder.repartition. */
export interface RepartitionSpec<K, V> {
  /** Unique in the topology; part of the topic's name, so never change it. */
  readonly name: string
  readonly from: Stream<K, V> | readonly Stream<K, V>[]
  readonly key: Serde<NoInfer<K>> & SinkSerde<NoInfer<K>>
  readonly value: Serde<NoInfer<V>> & SinkSerde<NoInfer<V>>
  /** Default: as many as the topic it must fit to, or the most that a source before it has. */
  readonly partitions?: number
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
