/**
 * Runs a whole topology in memory: pipe records in, read what came out, look into stores. No I/O and no clock; the
 * same calls give the same records, offsets and times.
 *
 * Each record is processed to its end before `pipe` returns, and so is what it makes other subtopologies read. A
 * record that fails is taken back alone, kept as a dead letter, and answered by `onPoison`, as the runtime does it.
 *
 * Errors: TOPOLOGY_UNKNOWN_TOPIC, TOPOLOGY_UNKNOWN_STORE, TOPOLOGY_NO_PARTITION (all: fix the test).
 */
import { MillraceError, isMillraceError, messageOf, noHeaders } from '#core'
import { typedStore } from '../erasure.ts'
import type { Subtopology, Topology } from '../graph.ts'
import type { SourceSpec } from '../processor.ts'
import type { Serde } from '../serde.ts'
import type {
  KeyValueStoreSpec,
  ReadonlyKeyValueStore,
  ReadonlySetStore,
  SetStoreSpec,
  StoreSpec,
} from '../store.ts'
import { TestTask } from './test-task.ts'
import type { FailedPunctuator, TaskOutput } from './test-task.ts'
import { TestInputTopic, TestOutputTopic } from './test-topics.ts'
import type { PipedRecord } from './test-topics.ts'
import { TopicLog } from './topic-log.ts'
import type { LoggedRecord } from './topic-log.ts'

export interface TestDriverOptions {
  /** Milliseconds since the epoch; record time until `advanceTime`, and wall-clock time. Default 0. */
  readonly startTime?: number
  /** Of every topic. Default 1. */
  readonly partitions?: number
  /** Default: a sum over the key's bytes, which is not what the log does. */
  readonly partitioner?: (key: Uint8Array | null, partitions: number) => number
  /**
   * `dlq` (default): keep a failed record as a dead letter, a failed punctuator in `failedPunctuators`, and go on.
   * `fail`: `pipe` and `advanceWallClock` throw the error.
   */
  readonly onPoison?: 'dlq' | 'fail'
}

/** A record that failed, with its bytes as they were. */
export interface DeadLetter extends LoggedRecord {
  readonly topic: string
  /** The error's code; undefined for errors that are not of Millrace. */
  readonly code: string | undefined
  readonly message: string
  readonly error: unknown
}

interface PendingRecord {
  readonly topic: string
  readonly task: TestTask
  readonly record: LoggedRecord
}

export class TopologyTestDriver {
  readonly #topology: Topology
  readonly #partitions: number
  readonly #partitioner: (key: Uint8Array | null, partitions: number) => number
  /** By subtopology id, then by partition. */
  readonly #tasks: readonly (readonly TestTask[])[]
  readonly #logs = new Map<string, TopicLog>()
  readonly #pending: PendingRecord[] = []
  readonly #deadLetters: DeadLetter[] = []
  readonly #failedPunctuators: FailedPunctuator[] = []
  #now: number
  #wallClock: number

  constructor(topology: Topology, options: TestDriverOptions = {}) {
    const { startTime = 0, partitions = 1, partitioner = sumOfBytes, onPoison = 'dlq' } = options
    this.#topology = topology
    this.#partitions = partitions
    this.#partitioner = partitioner
    this.#now = startTime
    this.#wallClock = startTime
    const taskOptions = {
      onPoison,
      wallClock: () => this.#wallClock,
      onPunctuatorFailed: (failure: FailedPunctuator) => void this.#failedPunctuators.push(failure),
    }
    this.#tasks = topology.subtopologies.map((subtopology) =>
      Array.from(
        { length: partitions },
        (_, partition) => new TestTask(topology, subtopology, partition, taskOptions),
      ),
    )
  }

  /** The time that records get: milliseconds since the epoch. */
  get now(): number {
    return this.#now
  }

  /**
   * Moves the time of records forward. Tasks see it with their next record: stream-time punctuators fire then, as
   * they do in the runtime.
   */
  advanceTime(ms: number): void {
    this.#now += checkedAdvance(ms)
  }

  /**
   * Moves the wall clock forward in one go, and only that: wall-clock punctuators that it passes fire once, task by
   * task, and what they emit is processed before this returns.
   * @throws with `onPoison: 'fail'` what a punctuator throws
   */
  advanceWallClock(ms: number): void {
    const before = this.#wallClock
    this.#wallClock += checkedAdvance(ms)
    for (const task of this.#tasks.flat()) {
      for (const output of task.advanceWallClock(before, this.#wallClock)) this.#publish(output, task)
      this.#drain()
    }
  }

  /** The first topic of a source, or a topic by name with the serdes to write it by. */
  inputTopic<K, V>(source: SourceSpec<K, V>): TestInputTopic<K, V>
  inputTopic<K, V>(topic: string, key: Serde<K>, value: Serde<V>): TestInputTopic<K, V>
  inputTopic<K, V>(
    of: string | SourceSpec<K, V>,
    ...serdes: readonly [] | readonly [Serde<K>, Serde<V>]
  ): TestInputTopic<K, V> {
    const topic = typeof of === 'string' ? of : of.topics[0]
    const [key, value] = typeof of === 'string' ? serdes : [of.key, of.value]
    if (topic === undefined || key === undefined || value === undefined) {
      throw new TypeError('inputTopic takes a source with topics, or a topic with both serdes')
    }
    if (this.#readerOf(topic) === undefined) throw unknownTopic(topic, this.#topology)
    return new TestInputTopic(key, value, (keyBytes, valueBytes, pipeOptions) => {
      const { timestamp = this.#now, headers = noHeaders } = pipeOptions
      const partition = pipeOptions.partition ?? this.#partitioner(keyBytes, this.#partitions)
      const record = this.#append(topic, { partition, key: keyBytes, value: valueBytes, timestamp, headers })
      this.#drain()
      return { partition, offset: record.offset, timestamp } satisfies PipedRecord
    })
  }

  /** Everything that was written to a topic, from its start. */
  outputTopic<K, V>(topic: string, key: Serde<K>, value: Serde<V>): TestOutputTopic<K, V> {
    return new TestOutputTopic(key, value, this.#log(topic).records)
  }

  /** What a task's store holds now; `partition` names the task (default 0). */
  store<K, V>(spec: KeyValueStoreSpec<K, V>, partition?: number): ReadonlyKeyValueStore<K, V>
  store<K, M, V>(spec: SetStoreSpec<K, M, V>, partition?: number): ReadonlySetStore<K, M, V>
  store(spec: StoreSpec, partition = 0): unknown {
    this.#checkPartition(partition)
    const owner = this.#topology.subtopologies.find(({ stores }) => stores.includes(spec))
    if (owner === undefined) {
      throw testError(
        'TOPOLOGY_UNKNOWN_STORE',
        `No processor uses the store "${spec.name}". Pass the very specification that one was given.`,
      )
    }
    return typedStore(spec, this.#tasks[owner.id]?.[partition]?.store(spec))
  }

  /** All failed records so far, in the order in which they failed. */
  deadLetters(): readonly DeadLetter[] {
    return [...this.#deadLetters]
  }

  /** All calls of punctuators that threw so far. */
  failedPunctuators(): readonly FailedPunctuator[] {
    return [...this.#failedPunctuators]
  }

  #drain(): void {
    for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) {
      const { topic, task, record } = next
      const { outputs, ...failure } = task.process(topic, record)
      if ('error' in failure) this.#setAside(topic, record, failure.error)
      for (const output of outputs) this.#publish(output, task)
    }
  }

  #publish({ sink, key, value, timestamp, headers }: TaskOutput, task: TestTask): void {
    const partition = sink.samePartition ? task.partition : this.#partitioner(key, this.#partitions)
    this.#append(sink.topic, { partition, key, value, timestamp, headers })
  }

  #append(topic: string, record: Omit<LoggedRecord, 'offset'>): LoggedRecord {
    this.#checkPartition(record.partition)
    const logged = this.#log(topic).append(record)
    const task = this.#tasks[this.#readerOf(topic)?.id ?? -1]?.[record.partition]
    if (task !== undefined) this.#pending.push({ topic, task, record: logged })
    return logged
  }

  #setAside(topic: string, record: LoggedRecord, error: unknown): void {
    const code = isMillraceError(error) ? error.code : undefined
    this.#deadLetters.push({ ...record, topic, code, message: messageOf(error), error })
  }

  #readerOf(topic: string): Subtopology | undefined {
    return this.#topology.subtopologies.find(({ sourceTopics }) => sourceTopics.includes(topic))
  }

  #log(topic: string): TopicLog {
    const log = this.#logs.get(topic) ?? new TopicLog(this.#partitions)
    this.#logs.set(topic, log)
    return log
  }

  #checkPartition(partition: number): void {
    if (Number.isInteger(partition) && partition >= 0 && partition < this.#partitions) return
    throw testError(
      'TOPOLOGY_NO_PARTITION',
      `There is no partition ${partition}; the driver was given partitions: ${this.#partitions}.`,
    )
  }
}

function checkedAdvance(ms: number): number {
  if (ms >= 0) return ms
  throw new RangeError(`time cannot advance by ${ms} ms`)
}

function sumOfBytes(key: Uint8Array | null, partitions: number): number {
  let sum = 0
  for (const byte of key ?? []) sum += byte
  return sum % partitions
}

function unknownTopic(topic: string, topology: Topology): MillraceError {
  const known = topology.subtopologies.flatMap(({ sourceTopics }) => sourceTopics)
  return testError('TOPOLOGY_UNKNOWN_TOPIC', `No source reads "${topic}". Sources read: ${known.join(', ')}.`)
}

function testError(code: string, message: string): MillraceError {
  return new MillraceError(code, message, { domain: 'user', reaction: 'stop' })
}
