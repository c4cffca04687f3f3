/** The ends of a topology under test: what goes in, and what came out. */
import type { RecordHeaders } from '#core'
import { nullFor } from '../erasure.ts'
import { decode, encode } from '../serde.ts'
import type { Serde } from '../serde.ts'
import type { LoggedRecord } from './topic-log.ts'

export interface PipeOptions {
  /** Milliseconds since the epoch. Default: the driver's time, as a topic with log-append time stamps it. */
  readonly timestamp?: number
  readonly headers?: RecordHeaders
  /** Default: the driver's partitioner decides. */
  readonly partition?: number
}

/** Where a piped record came to lie. */
export interface PipedRecord {
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
}

export type PipeEncoded = (key: Buffer | null, value: Buffer | null, options: PipeOptions) => PipedRecord

export class TestInputTopic<K, V> {
  readonly #key: Serde<K>
  readonly #value: Serde<V>
  readonly #pipe: PipeEncoded

  constructor(key: Serde<K>, value: Serde<V>, pipe: PipeEncoded) {
    this.#key = key
    this.#value = value
    this.#pipe = pipe
  }

  /**
   * Appends a record and processes it, with everything that follows from it.
   * @throws with `onPoison: 'fail'` what the topology throws; otherwise what an `onPoison` throws
   */
  pipe(key: K, value: V, options: PipeOptions = {}): PipedRecord {
    return this.#pipe(encodeField(this.#key, key), encodeField(this.#value, value), options)
  }
}

/** A record that left at a sink. */
export interface TestRecord<K, V> {
  readonly key: K
  readonly value: V
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly headers: RecordHeaders
}

/** Reads a topic from its start, over all partitions in the order of writing. Each handle has its own place. */
export class TestOutputTopic<K, V> {
  readonly #key: Serde<K>
  readonly #value: Serde<V>
  readonly #records: readonly LoggedRecord[]
  #next = 0

  constructor(key: Serde<K>, value: Serde<V>, records: readonly LoggedRecord[]) {
    this.#key = key
    this.#value = value
    this.#records = records
  }

  /** The next record; undefined when all are read. */
  read(): TestRecord<K, V> | undefined {
    const record = this.#records[this.#next]
    if (record === undefined) return undefined
    this.#next++
    const { partition, offset, timestamp, headers } = record
    const key = decodeField(this.#key, record.key)
    const value = decodeField(this.#value, record.value)
    return { key, value, partition, offset, timestamp, headers }
  }

  /** Everything not yet read. */
  readAll(): TestRecord<K, V>[] {
    const records: TestRecord<K, V>[] = []
    for (let record = this.read(); record !== undefined; record = this.read()) records.push(record)
    return records
  }
}

/** Null as a null field where the serde has it. */
function encodeField<T>(serde: Serde<T>, value: T): Buffer | null {
  return value === null && serde.nullable === true ? null : encode(serde, value)
}

function decodeField<T>(serde: Serde<T>, field: Buffer | null): T {
  if (field !== null) return decode(serde, field)
  const nothing = nullFor(serde)
  if (nothing === undefined)
    throw new TypeError(`a null field cannot be read as ${serde.name}: use nullable(…)`)
  return nothing.value
}
