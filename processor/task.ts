/**
 * One task: a subtopology at work on one partition number, with its state and its place in the input.
 *
 * It computes; it does not talk to the log. Its states (task-states.ts) say who may touch it.
 */
import type { Logger, RecordHeaders } from '#core'
import { ByteWriter } from '#core'
import type { PartitionOffset } from '#log'
import { partitionOf } from '#log'
import type { TaskPosition, TaskState } from '#state'
import { TaskProgram, taskIdOf, writeErased } from '#topology'
import type { SinkNode, StoreSpec, Subtopology, TaskHost, Topology } from '#topology'
import { writeDeadLetter, deadLetterTopic } from './dead-letter.ts'
import { isPoison, processorError } from './errors.ts'
import { InputQueue } from './input-queue.ts'
import type { TaskStatus } from './task-states.ts'
import type { TransactionOutputs } from './transaction-outputs.ts'

/** What tasks need to know of the topics around them. */
export interface TopicFacts {
  partitions(topic: string): number
  maxMessageBytes(topic: string): number
}

/** `dlq`: set poison records aside and go on. `fail`: stop at the first. */
export type PoisonHandler = 'dlq' | 'fail'

export interface TaskOptions {
  readonly topology: Topology
  readonly subtopology: Subtopology
  readonly partition: number
  readonly topics: TopicFacts
  readonly onPoison: PoisonHandler
  readonly logger: Logger
}

export class Task implements TaskHost {
  readonly taskId: string
  readonly subtopology: Subtopology
  readonly partition: number
  readonly inputs: readonly InputQueue[]
  status: TaskStatus = 'created'
  /** Records set aside since the start. */
  poisoned = 0
  readonly #options: TaskOptions
  readonly #keyScratch = new ByteWriter(256)
  #streamTime = -1
  #settled: TaskPosition = { inputs: [], streamTime: -1 }
  #state: TaskState | undefined
  #program: TaskProgram | undefined
  #outputs: TransactionOutputs | undefined

  constructor(options: TaskOptions) {
    this.#options = options
    this.subtopology = options.subtopology
    this.partition = options.partition
    this.taskId = taskIdOf(options.subtopology.id, options.partition)
    this.inputs = options.subtopology.sourceTopics.map((topic) => new InputQueue(topic, options.partition))
  }

  /** The open state; only after `attach`. */
  get state(): TaskState {
    if (this.#state === undefined) throw new TypeError(`task ${this.taskId} has no state yet`)
    return this.#state
  }

  get hasState(): boolean {
    return this.#state !== undefined
  }

  /** Lends the task its state. The program is built anew, since it holds on to the stores. */
  attach(state: TaskState): void {
    this.#state = state
    this.#program = new TaskProgram(this.#options.topology, this.subtopology.id, this.partition, this)
  }

  /** Starts, or starts again, from a committed position. */
  startFrom(position: TaskPosition): void {
    this.#settled = position
    this.rewind()
  }

  /** Back to the last committed position: uncommitted work and what was fetched are dropped. */
  rewind(): void {
    this.#state?.discard()
    this.#streamTime = this.#settled.streamTime
    for (const input of this.inputs) input.reset(this.#settledOffset(input))
  }

  /** Everything computed so far is part of the transaction that is being sealed. */
  position(): TaskPosition {
    const inputs = this.inputs.map(({ topic, partition, position }) => ({
      topic,
      partition,
      offset: position,
    }))
    return { inputs, streamTime: this.#streamTime }
  }

  settle(position: TaskPosition): void {
    this.#settled = position
  }

  /** Committed positions, for fetching again. */
  settledOffsets(): PartitionOffset[] {
    return this.inputs.map((input) => ({
      topic: input.topic,
      partition: input.partition,
      offset: this.#settledOffset(input),
    }))
  }

  get hasWork(): boolean {
    return this.inputs.some((input) => input.head() !== undefined)
  }

  /** Processes up to `max` buffered records into `outputs`; returns how many. */
  process(max: number, outputs: TransactionOutputs): number {
    this.#outputs = outputs
    let processed = 0
    for (; processed < max; processed++) {
      const input = this.#nextInput()
      if (input === undefined) break
      this.#processHead(input, outputs)
    }
    return processed
  }

  // ---------------------------------------------------------------------------------------------------- TaskHost

  store(spec: StoreSpec): unknown {
    return this.state.store(spec)
  }

  streamTime(): number {
    return this.#streamTime
  }

  send(sink: SinkNode, key: unknown, value: unknown, timestamp: number, headers: RecordHeaders): void {
    const outputs = this.#outputs
    if (outputs === undefined) throw new TypeError(`task ${this.taskId} is not processing`)
    const target = outputs.target(sink.topic, this.#partitionFor(sink, key))
    const builder = target.open()
    builder.begin(timestamp)
    writeField(sink.key, key, builder)
    writeField(sink.value, value, builder)
    builder.end(headers)
    target.check(builder)
  }

  async close(): Promise<void> {
    const state = this.#state
    this.#state = undefined
    this.#program = undefined
    await state?.close()
  }

  #settledOffset(input: InputQueue): number {
    const found = this.#settled.inputs.find(
      ({ topic, partition }) => topic === input.topic && partition === input.partition,
    )
    return found?.offset ?? 0
  }

  /** With several inputs the record with the lowest timestamp goes first, as far as records are there. */
  #nextInput(): InputQueue | undefined {
    let first: InputQueue | undefined
    let lowest = Infinity
    for (const input of this.inputs) {
      const head = input.head()
      if (head === undefined || head.timestamp >= lowest) continue
      first = input
      lowest = head.timestamp
    }
    return first
  }

  #processHead(input: InputQueue, outputs: TransactionOutputs): void {
    const record = input.head()
    if (record === undefined) return
    if (record.timestamp > this.#streamTime) this.#streamTime = record.timestamp
    try {
      this.#program?.process(input.topic, input.partition, record)
    } catch (error) {
      if (!isPoison(error)) throw error
      this.#setAside(input, outputs, error)
    }
    this.state.release()
    outputs.release()
    input.advance()
  }

  #setAside(input: InputQueue, outputs: TransactionOutputs, error: unknown): void {
    const record = input.head()
    if (record === undefined) return
    this.state.rollback()
    outputs.rollback()
    const where = `${input.topic}-${input.partition}@${record.offset}`
    const { onPoison, topics, logger } = this.#options
    if (onPoison === 'fail') {
      throw processorError('PROCESSOR_POISON', `Record ${where} failed, and the poison handler is "fail".`, {
        cause: error,
      })
    }
    writeDeadLetter(outputs, input, record, error, topics.maxMessageBytes(deadLetterTopic(input.topic)))
    this.state.release()
    outputs.release()
    try {
      this.#program?.answerPoison(error)
    } catch (second) {
      throw processorError('PROCESSOR_POISON', `Record ${where} failed, and so did answering it.`, {
        cause: second,
      })
    }
    this.poisoned++
    logger.warn({ task: this.taskId, record: where, error }, 'record set aside')
  }

  #partitionFor(sink: SinkNode, key: unknown): number {
    if (sink.samePartition) return this.partition
    const partitions = this.#options.topics.partitions(sink.topic)
    if (key === null || partitions === 1) return partitionOf(null, partitions)
    const scratch = this.#keyScratch
    scratch.length = 0
    writeErased(sink.key, key, scratch)
    return partitionOf(scratch.view(), partitions)
  }
}

function writeField(
  serde: SinkNode['key'],
  value: unknown,
  builder: { openField(): ByteWriter; closeField(): void; writeField(field: null): void },
): void {
  if (value === null && serde.nullable === true) {
    builder.writeField(null)
    return
  }
  writeErased(serde, value, builder.openField())
  builder.closeField()
}
