/** The nodes of a subtopology at work in one task, and the record they share. */
import { MillraceError, noHeaders } from '#core'
import type { RecordHeaders } from '#core'
import { erasedContext } from './erasure.ts'
import type { ProcessorNode, SinkNode, Subtopology } from './graph.ts'
import { Scheduler } from './scheduler.ts'
import type { Phase } from './scheduler.ts'
import type { DuePunctuator, Timers } from './timers.ts'
import type { Emit, EmitOptions, Processor, StreamRecord } from './processor.ts'
import type { EncodedRecord, TaskHost } from './task-host.ts'

/** A node at work. `headers` undefined means those of the input record, not decoded yet. */
export interface Step {
  run(key: unknown, value: unknown, timestamp: number, headers: RecordHeaders | undefined): void
}

/** The record that the task is working on, shared by all steps. */
export class Input {
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

  /** What follows comes from a punctuator. */
  beginPunctuation(partition: number): void {
    this.topic = ''
    this.partition = partition
    this.offset = -1
    this.failedStep = undefined
    this.#error = undefined
    this.#record = undefined
    this.#headers = noHeaders
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

export class ProcessorStep implements Step {
  readonly #node: ProcessorNode
  readonly #input: Input
  readonly #record: CurrentRecord
  #processor: Processor<unknown, unknown> | undefined
  #phase: Phase = 'idle'

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
    timers: Timers,
    order: number,
  ): void {
    const { name: processor, outputs, stores: specs, init, wallClock: allowsWallClock } = this.#node
    const scheduler = new Scheduler({
      processor,
      order,
      allowsWallClock,
      timers,
      wallClock: () => host.wallClock(),
      phase: () => this.#phase,
      resumes: () => this.#processor?.resume !== undefined,
    })
    const emit = Object.entries(outputs).map(([name, targets]) => {
      const steps = targets.flatMap((target) => stepOf.get(target) ?? [])
      return [name, this.#emitTo(name, steps)] as const
    })
    const own = Object.entries(specs).map(([alias, spec]) => [alias, stores.get(spec.name)] as const)
    this.#phase = 'init'
    try {
      this.#processor = init(
        erasedContext({
          stores: Object.freeze(Object.fromEntries(own)),
          emit: Object.freeze(Object.fromEntries(emit)),
          taskId,
          streamTime: () => host.streamTime(),
          schedule: (punctuator) => scheduler.schedule(punctuator),
        }),
      )
    } finally {
      this.#phase = 'idle'
    }
  }

  resume(): void {
    this.#phase = 'resume'
    try {
      this.#processor?.resume?.()
    } finally {
      this.#phase = 'idle'
    }
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
    this.#phase = 'record'
    try {
      this.#processor?.process(record)
    } catch (error) {
      input.fail(this, error)
      throw error
    } finally {
      this.#phase = 'idle'
    }
  }

  punctuate({ timer, timestamp }: DuePunctuator): void {
    this.#record.timestamp = timestamp
    this.#record.ownHeaders = noHeaders
    this.#phase = 'record'
    try {
      timer.punctuator.punctuate(timestamp)
    } finally {
      this.#phase = 'idle'
    }
  }

  answerPoison(error: unknown): boolean {
    const processor = this.#processor
    if (processor?.onPoison === undefined) return false
    this.#phase = 'record'
    try {
      processor.onPoison(this.#record, error)
    } finally {
      this.#phase = 'idle'
    }
    return true
  }

  #emitTo(output: string, steps: readonly Step[]): Emit<unknown, unknown> {
    const record = this.#record
    return (key: unknown, value: unknown, options?: EmitOptions) => {
      if (this.#phase !== 'record') throw emitOutsideProcess(this.#node.name, output)
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

/** The processors and sinks at work, by name; every processor initialised, in the order they were added. */
export function stepsOf(
  subtopology: Subtopology,
  taskId: string,
  input: Input,
  host: TaskHost,
  timers: Timers,
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
  for (const [order, step] of processors.entries()) step.init(taskId, host, stores, steps, timers, order)
  return steps
}

function emitOutsideProcess(processor: string, output: string): MillraceError {
  return new MillraceError(
    'TOPOLOGY_EMIT_OUTSIDE_PROCESS',
    `Processor "${processor}" emitted to "${output}" while it had no record. ` +
      `Emit inside process, punctuate or onPoison only, never from init or after an await.`,
    { domain: 'user', reaction: 'stop' },
  )
}
