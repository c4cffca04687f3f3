/**
 * One task: a subtopology at work on one partition number, with its state and its place in the input.
 *
 * It computes; it does not talk to the log. Its states (task-states.ts) say who may touch it.
 */
import type { Clock, Logger, RecordHeaders } from '#core'
import { ByteWriter } from '#core'
import type { PartitionOffset } from '#log'
import { partitionOf } from '#log'
import type { TaskPosition, TaskState } from '#state'
import { TaskProgram, taskIdOf, writeErased } from '#topology'
import type { DuePunctuator, SinkNode, StoreSpec, Subtopology, TaskHost, Topology } from '#topology'
import { deadLetterCode, deadLetterTopic, writeDeadLetter } from './dead-letter.ts'
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
  readonly clock: Clock
  readonly logger: Logger
  /** Called for each call of a punctuator that was taken back. */
  readonly onPunctuatorFailed: (failed: { readonly processor: string; readonly punctuator: string }) => void
  /** Called for each record that was set aside. */
  readonly onDeadLetter: (letter: { readonly code: string }) => void
}

/** How far a task has come, with the wall-clock time up to which its punctuators are done: that is not stored. */
export interface TaskProgress extends TaskPosition {
  readonly wallClock: number
}

export class Task implements TaskHost {
  readonly taskId: string
  readonly subtopology: Subtopology
  readonly partition: number
  readonly inputs: readonly InputQueue[]
  status: TaskStatus = 'created'
  readonly #options: TaskOptions
  readonly #keyScratch = new ByteWriter(256)
  #streamTime = -1
  #wallClock = -1
  #settled: TaskProgress = { inputs: [], streamTime: -1, wallClock: -1 }
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

  /**
   * Starts, or starts again, from a committed position. Wall-clock punctuators begin with now: what was due before
   * may have happened in a transaction of unknown outcome, and is not repeated.
   */
  startFrom(position: TaskPosition): void {
    this.#settled = { ...position, wallClock: this.#options.clock.now() }
    this.rewind()
  }

  /** Back to the last committed position: uncommitted work, timers and what was fetched are dropped. */
  rewind(): void {
    this.#state?.discard()
    this.#streamTime = this.#settled.streamTime
    this.#wallClock = this.#settled.wallClock
    for (const input of this.inputs) input.reset(this.#settledOffset(input))
    this.#program?.resume()
  }

  /** Everything computed so far is part of the transaction that is being sealed. */
  position(): TaskProgress {
    const inputs = this.inputs.map(({ topic, partition, position }) => ({
      topic,
      partition,
      offset: position,
    }))
    return { inputs, streamTime: this.#streamTime, wallClock: this.#wallClock }
  }

  settle(position: TaskProgress): void {
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

  /**
   * Processes buffered records into `outputs`, and returns how many: at most `recordsMax`, and no further one once
   * they wrote `bytesMax` bytes of outputs and state.
   */
  process(recordsMax: number, bytesMax: number, outputs: TransactionOutputs): number {
    this.#outputs = outputs
    const bytesEnd = outputs.writtenBytes + this.state.pendingBytes + bytesMax
    let processed = 0
    while (processed < recordsMax && outputs.writtenBytes + this.state.pendingBytes < bytesEnd) {
      const input = this.#nextInput()
      if (input === undefined) break
      this.#processHead(input, outputs)
      processed++
    }
    return processed
  }

  /** When the next wall-clock punctuator is due, milliseconds since the epoch; undefined when there is none. */
  nextWallClock(): number | undefined {
    return this.#program?.nextWallClock(this.#wallClock)
  }

  /** Calls the wall-clock punctuators that are due; true when that left something to commit. */
  punctuateWallClock(outputs: TransactionOutputs): boolean {
    const after = this.#wallClock
    // Never back: a clock that was set back fires nothing until it is past where it was.
    this.#wallClock = Math.max(after, this.#options.clock.now())
    const due = this.#program?.due('wall-clock', after, this.#wallClock) ?? []
    if (due.length === 0) return false
    this.#outputs = outputs
    const written = outputs.byteLength
    for (const one of due) this.#punctuate(one, outputs)
    return outputs.byteLength > written || this.state.dirtyStores().length > 0
  }

  // ---------------------------------------------------------------------------------------------------- TaskHost

  store(spec: StoreSpec): unknown {
    return this.state.store(spec)
  }

  streamTime(): number {
    return this.#streamTime
  }

  wallClock(): number {
    return this.#options.clock.now()
  }

  send(sink: SinkNode, key: unknown, value: unknown, timestamp: number, headers: RecordHeaders): void {
    const outputs = this.#outputs
    if (outputs === undefined) throw new TypeError(`task ${this.taskId} is not processing`)
    const target = outputs.target(sink.topic, this.#partitionFor(sink, key))
    const builder = target.open()
    builder.begin(timestamp)
    writeField(sink.key, key, builder)
    writeField(sink.value, value, builder)
    outputs.writtenBytes += builder.end(headers)
    target.check(builder)
  }

  /** Gives the open state away, without what is not committed; undefined when it has none. */
  detach(): TaskState | undefined {
    const state = this.#state
    this.#state = undefined
    this.#program = undefined
    state?.discard()
    return state
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
    if (record.timestamp > this.#streamTime) this.#advanceStreamTime(record.timestamp, outputs)
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

  /** What is due by stream time comes before the record that made it due, and in the same transaction. */
  #advanceStreamTime(to: number, outputs: TransactionOutputs): void {
    const after = this.#streamTime
    this.#streamTime = to
    for (const due of this.#program?.due('stream-time', after, to) ?? []) this.#punctuate(due, outputs)
  }

  /** A savepoint of its own. */
  #punctuate(due: DuePunctuator, outputs: TransactionOutputs): void {
    try {
      this.#program?.punctuate(due)
    } catch (error) {
      if (!isPoison(error)) throw error
      this.#skip(due, outputs, error)
    }
    this.state.release()
    outputs.release()
  }

  #skip({ timer, timestamp }: DuePunctuator, outputs: TransactionOutputs, error: unknown): void {
    this.state.rollback()
    outputs.rollback()
    const { processor } = timer
    const punctuator = timer.punctuator.name
    const { onPoison, logger, onPunctuatorFailed } = this.#options
    if (onPoison === 'fail') {
      throw processorError(
        'PROCESSOR_PUNCTUATOR',
        `Punctuator "${punctuator}" of "${processor}" failed in task ${this.taskId}, and the poison handler is "fail".`,
        { context: { task: this.taskId, processor, punctuator, timestamp }, cause: error },
      )
    }
    onPunctuatorFailed({ processor, punctuator })
    logger.warn({ task: this.taskId, processor, punctuator, timestamp, error }, 'punctuator skipped')
  }

  #setAside(input: InputQueue, outputs: TransactionOutputs, error: unknown): void {
    const record = input.head()
    if (record === undefined) return
    this.state.rollback()
    outputs.rollback()
    const where = `${input.topic}-${input.partition}@${record.offset}`
    const { onPoison, topics, logger, onDeadLetter } = this.#options
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
    onDeadLetter({ code: deadLetterCode(error) })
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
