/**
 * One subtopology at work in one task: decodes a record and runs it through the graph, depth first.
 *
 * All routing is resolved at construction: a record costs no look-up by name and no allocation here. Each processor
 * has one record object that is filled again for every call, which the contract of StreamRecord allows.
 *
 * A failed record is the host's to undo. Its protocol is: `process` throws; the host rolls back stores and outputs of
 * that record; while `record` is still valid it may call `answerPoison`.
 */
import { MillraceError, messageOf, noHeaders } from '#core'
import type { RecordHeaders } from '#core'
import { erasedContext } from './erasure.ts'
import { taskIdOf } from './graph.ts'
import type { ErasedSerde, ProcessorNode, SinkNode, SourceNode, Subtopology, Topology } from './graph.ts'
import type { Emit, EmitOptions, Processor, StreamRecord } from './processor.ts'
import type { EncodedRecord, TaskHost } from './task-host.ts'

export class TaskProgram {
  readonly taskId: string
  readonly #input = new Input()
  readonly #entries: ReadonlyMap<string, Entry>
  /** The entry used last, kept because records come in runs of one topic. */
  #entry: Entry | undefined

  /**
   * Asks the host once for every store and calls `init` of every processor.
   * @throws MillraceError TOPOLOGY_UNKNOWN_SUBTOPOLOGY; whatever an `init` throws
   */
  constructor(topology: Topology, subtopologyId: number, partition: number, host: TaskHost) {
    const subtopology = topology.subtopologies.find(({ id }) => id === subtopologyId)
    if (subtopology === undefined) {
      throw new MillraceError(
        'TOPOLOGY_UNKNOWN_SUBTOPOLOGY',
        `The topology has no subtopology ${subtopologyId}; it has ${topology.subtopologies.length}.`,
        { domain: 'internal', reaction: 'stop' },
      )
    }
    this.taskId = taskIdOf(subtopologyId, partition)
    this.#entries = entriesOf(subtopology, stepsOf(subtopology, this.taskId, this.#input, host))
  }

  /**
   * Runs one record through the graph.
   * @throws MillraceError TOPOLOGY_UNDECODABLE when a serde refuses it, or a field is null and its serde not nullable;
   *   what a processor, a store or the host throws comes out unchanged
   */
  process(topic: string, partition: number, record: EncodedRecord): void {
    const entry = this.#entry?.topic === topic ? this.#entry : this.#enter(topic)
    const input = this.#input
    input.begin(topic, partition, record)
    const { buffer } = record
    const key = decodeField(entry.key, 'key', input, buffer, record.keyStart, record.keyEnd)
    const value = decodeField(entry.value, 'value', input, buffer, record.valueStart, record.valueEnd)
    const steps = entry.steps
    for (let index = 0; index < steps.length; index++) {
      ;(steps[index] as Step).run(key, value, record.timestamp, undefined)
    }
    input.end()
  }

  /**
   * After `process` threw and its effects were undone: lets the processor that threw answer the record it was given.
   * @returns false when there is none to ask: the record was not decoded, or the processor has no `onPoison`
   * @throws what `onPoison` throws
   */
  answerPoison(error: unknown): boolean {
    const step = this.#input.failedStep
    this.#input.failedStep = undefined
    if (step === undefined || !step.answerPoison(error)) return false
    this.#input.end()
    return true
  }

  #enter(topic: string): Entry {
    const entry = this.#entries.get(topic)
    if (entry === undefined) {
      throw new MillraceError(
        'TOPOLOGY_UNKNOWN_TOPIC',
        `Task ${this.taskId} has no source for topic "${topic}".`,
        {
          domain: 'internal',
          reaction: 'stop',
        },
      )
    }
    this.#entry = entry
    return entry
  }
}

/** Where the records of one topic go in. */
interface Entry {
  readonly topic: string
  readonly key: ErasedSerde
  readonly value: ErasedSerde
  readonly steps: readonly Step[]
}

/** A node at work. `headers` undefined means those of the input record, not decoded yet. */
interface Step {
  run(key: unknown, value: unknown, timestamp: number, headers: RecordHeaders | undefined): void
}

/** The record that the task is working on, shared by all steps. */
class Input {
  topic = ''
  partition = 0
  offset = 0
  /** The innermost processor that threw. */
  failedStep: ProcessorStep | undefined
  #error: unknown
  #record: EncodedRecord | undefined
  #headers: RecordHeaders | undefined

  begin(topic: string, partition: number, record: EncodedRecord): void {
    this.topic = topic
    this.partition = partition
    this.offset = record.offset
    this.failedStep = undefined
    this.#error = undefined
    this.#record = record
    this.#headers = undefined
  }

  fail(step: ProcessorStep, error: unknown): void {
    if (this.failedStep !== undefined) return
    this.failedStep = step
    this.#error = error
  }

  /** A processor that caught what a later one threw would keep half of that one's writes: fail the record all the same. */
  end(): void {
    if (this.failedStep !== undefined) throw this.#error
  }

  get headers(): RecordHeaders {
    this.#headers ??= this.#record?.hasHeaders ? this.#record.headers() : noHeaders
    return this.#headers
  }
}

class CurrentRecord implements StreamRecord<unknown, unknown> {
  key: unknown
  value: unknown
  topic = ''
  partition = 0
  offset = 0
  timestamp = 0
  ownHeaders: RecordHeaders | undefined
  readonly #input: Input

  constructor(input: Input) {
    this.#input = input
  }

  get headers(): RecordHeaders {
    return this.ownHeaders ?? this.#input.headers
  }
}

class ProcessorStep implements Step {
  readonly #node: ProcessorNode
  readonly #input: Input
  readonly #record: CurrentRecord
  #processor: Processor<unknown, unknown> | undefined
  #busy = false

  constructor(node: ProcessorNode, input: Input) {
    this.#node = node
    this.#input = input
    this.#record = new CurrentRecord(input)
  }

  init(
    taskId: string,
    host: TaskHost,
    stores: ReadonlyMap<string, unknown>,
    stepOf: ReadonlyMap<string, Step>,
  ): void {
    const { outputs, stores: specs, init } = this.#node
    const emit = Object.entries(outputs).map(([name, targets]) => {
      const steps = targets.flatMap((target) => stepOf.get(target) ?? [])
      return [name, this.#emitTo(name, steps)] as const
    })
    const own = Object.entries(specs).map(([alias, spec]) => [alias, stores.get(spec.name)] as const)
    this.#processor = init(
      erasedContext({
        stores: Object.freeze(Object.fromEntries(own)),
        emit: Object.freeze(Object.fromEntries(emit)),
        taskId,
        streamTime: () => host.streamTime(),
      }),
    )
  }

  run(key: unknown, value: unknown, timestamp: number, headers: RecordHeaders | undefined): void {
    const record = this.#record
    const input = this.#input
    record.key = key
    record.value = value
    record.topic = input.topic
    record.partition = input.partition
    record.offset = input.offset
    record.timestamp = timestamp
    record.ownHeaders = headers
    this.#busy = true
    try {
      this.#processor?.process(record)
    } catch (error) {
      input.fail(this, error)
      throw error
    } finally {
      this.#busy = false
    }
  }

  answerPoison(error: unknown): boolean {
    const processor = this.#processor
    if (processor?.onPoison === undefined) return false
    this.#busy = true
    try {
      processor.onPoison(this.#record, error)
    } finally {
      this.#busy = false
    }
    return true
  }

  #emitTo(output: string, steps: readonly Step[]): Emit<unknown, unknown> {
    const record = this.#record
    return (key: unknown, value: unknown, options?: EmitOptions) => {
      if (!this.#busy) throw emitOutsideProcess(this.#node.name, output)
      const timestamp = options?.timestamp ?? record.timestamp
      const headers = options?.headers ?? record.ownHeaders
      for (let index = 0; index < steps.length; index++) {
        ;(steps[index] as Step).run(key, value, timestamp, headers)
      }
    }
  }
}

class SinkStep implements Step {
  readonly #node: SinkNode
  readonly #input: Input
  readonly #host: TaskHost

  constructor(node: SinkNode, input: Input, host: TaskHost) {
    this.#node = node
    this.#input = input
    this.#host = host
  }

  run(key: unknown, value: unknown, timestamp: number, headers: RecordHeaders | undefined): void {
    this.#host.send(this.#node, key, value, timestamp, headers ?? this.#input.headers)
  }
}

function stepsOf(
  subtopology: Subtopology,
  taskId: string,
  input: Input,
  host: TaskHost,
): ReadonlyMap<string, Step> {
  const steps = new Map<string, Step>()
  const processors: ProcessorStep[] = []
  for (const node of subtopology.nodes) {
    if (node.kind === 'sink') steps.set(node.name, new SinkStep(node, input, host))
    if (node.kind === 'processor') {
      const step = new ProcessorStep(node, input)
      steps.set(node.name, step)
      processors.push(step)
    }
  }
  const stores = new Map(subtopology.stores.map((spec) => [spec.name, host.store(spec)]))
  for (const step of processors) step.init(taskId, host, stores, steps)
  return steps
}

function entriesOf(subtopology: Subtopology, steps: ReadonlyMap<string, Step>): ReadonlyMap<string, Entry> {
  const sources = subtopology.nodes.filter((node): node is SourceNode => node.kind === 'source')
  const entries = subtopology.sourceTopics.map((topic) => {
    // Sources that share a topic have the same serdes: the builder has checked it.
    const readers = sources.filter(({ topics }) => topics.includes(topic))
    const { key, value } = readers[0] as SourceNode
    const targets = readers.flatMap(({ successors }) => successors.flatMap((name) => steps.get(name) ?? []))
    return [topic, { topic, key, value, steps: targets }] as const
  })
  return new Map(entries)
}

function decodeField(
  serde: ErasedSerde,
  field: 'key' | 'value',
  input: Input,
  buffer: Buffer,
  start: number,
  end: number,
): unknown {
  if (end < start) {
    if (serde.nullable === true) return null
    throw undecodable(serde, field, input, `it is null, and serde ${serde.name} is not nullable`)
  }
  try {
    return serde.read(buffer, start, end)
  } catch (error) {
    throw undecodable(serde, field, input, messageOf(error), error)
  }
}

function undecodable(
  serde: ErasedSerde,
  field: string,
  input: Input,
  why: string,
  cause?: unknown,
): MillraceError {
  const { topic, partition, offset } = input
  return new MillraceError(
    'TOPOLOGY_UNDECODABLE',
    `The ${field} of ${topic}-${partition}@${offset} cannot be decoded as ${serde.name}: ${why}. ` +
      `Find who writes such records to ${topic}, or read it by another serde.`,
    { domain: 'external', reaction: 'stop', context: { topic, partition, offset, field }, cause },
  )
}

function emitOutsideProcess(processor: string, output: string): MillraceError {
  return new MillraceError(
    'TOPOLOGY_EMIT_OUTSIDE_PROCESS',
    `Processor "${processor}" emitted to "${output}" while it had no record. ` +
      `Emit inside process or onPoison only, never from init or after an await.`,
    { domain: 'user', reaction: 'stop' },
  )
}
