/**
 * One subtopology at work in one task: decodes a record and runs it through the graph, depth first.
 *
 * All routing is resolved at construction: a record costs no look-up by name and no allocation here. Each processor
 * has one record object that is filled again for every call, which the contract of StreamRecord allows.
 *
 * A failed record is the host's to undo. Its protocol is: `process` throws; the host rolls back stores and outputs of
 * that record; while `record` is still valid it may call `answerPoison`. The same holds for `punctuate`, without an
 * answer. Timers are taken back here.
 */
import { MillraceError, messageOf } from '#core'
import { taskIdOf } from './graph.ts'
import type { ErasedSerde, SourceNode, Subtopology, Topology } from './graph.ts'
import type { EncodedRecord, TaskHost } from './task-host.ts'
import { Input, ProcessorStep, stepsOf } from './task-steps.ts'
import type { Step } from './task-steps.ts'
import { Timers } from './timers.ts'
import type { DuePunctuator } from './timers.ts'
import type { PunctuationTime } from './processor.ts'

export class TaskProgram {
  readonly taskId: string
  readonly #partition: number
  readonly #input = new Input()
  readonly #timers = new Timers()
  readonly #steps: ReadonlyMap<string, Step>
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
    this.#partition = partition
    this.#steps = stepsOf(subtopology, this.taskId, this.#input, host, this.#timers)
    this.#timers.keepInitial()
    this.#entries = entriesOf(subtopology, this.#steps)
  }

  /**
   * Runs one record through the graph.
   * @throws MillraceError TOPOLOGY_UNDECODABLE when a serde refuses it, or a field is null and its serde not nullable;
   *   what a processor, a store or the host throws comes out unchanged
   */
  process(topic: string, partition: number, record: EncodedRecord): void {
    try {
      this.#run(topic, partition, record)
    } catch (error) {
      this.#timers.rollback()
      throw error
    }
    this.#timers.release()
  }

  #run(topic: string, partition: number, record: EncodedRecord): void {
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
    if (step === undefined) return false
    try {
      if (!step.answerPoison(error)) return false
      this.#input.end()
    } catch (second) {
      this.#timers.rollback()
      throw second
    }
    this.#timers.release()
    return true
  }

  /**
   * To be called once the stores are restored, and whenever they went back to a committed state: leaves the timers
   * of `init`, and lets processors set again what follows from their stores.
   * @throws what a `resume` throws
   */
  resume(): void {
    this.#timers.reset()
    for (const step of this.#steps.values()) if (step instanceof ProcessorStep) step.resume()
    this.#timers.release()
  }

  /**
   * The punctuators with an instant in (after, until], in the order to call them; none when `after` is negative.
   * Stream time: before the record that moves it to `until`.
   */
  due(by: PunctuationTime, after: number, until: number): readonly DuePunctuator[] {
    return this.#timers.due(by, after, until)
  }

  /** The first instant after `after` at which a wall-clock punctuator is due; undefined when there is none. */
  nextWallClock(after: number): number | undefined {
    return this.#timers.nextWallClock(after)
  }

  /**
   * Calls one of `due`.
   * @returns false when it was cancelled meanwhile, by one before it
   * @throws what the punctuator or what it emits to throws
   */
  punctuate(due: DuePunctuator): boolean {
    const step = this.#steps.get(due.timer.processor)
    if (!this.#timers.has(due.timer) || !(step instanceof ProcessorStep)) return false
    this.#input.beginPunctuation(this.#partition)
    try {
      step.punctuate(due)
      this.#input.end()
    } catch (error) {
      this.#timers.rollback()
      throw error
    }
    this.#timers.release()
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
