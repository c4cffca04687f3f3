/** One task in the test driver: memory stores with a savepoint a record, and outputs that wait for the record's end. */
import { ByteWriter } from '#core'
import type { RecordHeaders } from '#core'
import { writeErased } from '../erasure.ts'
import { taskIdOf } from '../graph.ts'
import type { ErasedSerde, SinkNode, Subtopology, Topology } from '../graph.ts'
import { MemoryKeyValueStore } from '../memory/key-value-store.ts'
import { MemorySetStore } from '../memory/set-store.ts'
import { undoAll } from '../memory/undo-log.ts'
import type { UndoLog } from '../memory/undo-log.ts'
import type { StoreSpec } from '../store.ts'
import type { TaskHost } from '../task-host.ts'
import { TaskProgram } from '../task-program.ts'
import type { DuePunctuator } from '../timers.ts'
import { encodedRecord } from './topic-log.ts'
import type { LoggedRecord } from './topic-log.ts'

/** A record that left at a sink, encoded at once as the contract of TaskHost asks. */
export interface TaskOutput {
  readonly sink: SinkNode
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly timestamp: number
  readonly headers: RecordHeaders
}

/** What became of one record; `error` when it was set aside. */
export interface TaskOutcome {
  readonly outputs: readonly TaskOutput[]
  readonly error?: unknown
}

/** What the driver lends to all tasks. */
export interface TestTaskOptions {
  readonly onPoison: 'dlq' | 'fail'
  readonly wallClock: () => number
  readonly onPunctuatorFailed: (failure: FailedPunctuator) => void
}

/** A call of a punctuator that was taken back. */
export interface FailedPunctuator {
  readonly taskId: string
  readonly processor: string
  readonly name: string
  /** The instant it was called for. */
  readonly timestamp: number
  readonly error: unknown
}

export class TestTask implements TaskHost {
  readonly taskId: string
  readonly partition: number
  readonly #stores = new Map<StoreSpec, unknown>()
  readonly #undo: UndoLog = []
  readonly #program: TaskProgram
  #outputs: TaskOutput[] = []
  readonly #options: TestTaskOptions
  #streamTime = -1

  constructor(topology: Topology, subtopology: Subtopology, partition: number, options: TestTaskOptions) {
    this.#options = options
    this.taskId = taskIdOf(subtopology.id, partition)
    this.partition = partition
    for (const spec of subtopology.stores) this.#stores.set(spec, memoryStore(spec, this.#undo))
    this.#program = new TaskProgram(topology, subtopology.id, partition, this)
    this.#program.resume()
  }

  /** @throws what `onPoison` of a processor throws; with `fail` the error that the record or a punctuator met */
  process(topic: string, record: LoggedRecord): TaskOutcome {
    const after = this.#streamTime
    this.#streamTime = Math.max(after, record.timestamp)
    const punctuated = this.#punctuate(this.#program.due('stream-time', after, this.#streamTime))
    try {
      this.#program.process(topic, this.partition, encodedRecord(record))
      return { outputs: [...punctuated, ...this.#release()] }
    } catch (error) {
      this.#rollback()
      if (this.#options.onPoison === 'fail') throw error
      return { outputs: [...punctuated, ...this.#answer(error)], error }
    }
  }

  /** Wall-clock time goes on from `after` to `until`. */
  advanceWallClock(after: number, until: number): readonly TaskOutput[] {
    return this.#punctuate(this.#program.due('wall-clock', after, until))
  }

  store(spec: StoreSpec): unknown {
    return this.#stores.get(spec)
  }

  streamTime(): number {
    return this.#streamTime
  }

  wallClock(): number {
    return this.#options.wallClock()
  }

  send(sink: SinkNode, key: unknown, value: unknown, timestamp: number, headers: RecordHeaders): void {
    const fields = { key: encodeErased(sink.key, key), value: encodeErased(sink.value, value) }
    this.#outputs.push({ sink, ...fields, timestamp, headers })
  }

  #punctuate(due: readonly DuePunctuator[]): readonly TaskOutput[] {
    const outputs: TaskOutput[] = []
    for (const one of due) {
      try {
        this.#program.punctuate(one)
        outputs.push(...this.#release())
      } catch (error) {
        this.#rollback()
        if (this.#options.onPoison === 'fail') throw error
        const { processor, punctuator } = one.timer
        const { taskId } = this
        const { timestamp } = one
        this.#options.onPunctuatorFailed({ taskId, processor, name: punctuator.name, timestamp, error })
      }
    }
    return outputs
  }

  #answer(error: unknown): readonly TaskOutput[] {
    try {
      this.#program.answerPoison(error)
      return this.#release()
    } catch (second) {
      this.#rollback()
      throw second
    }
  }

  #release(): readonly TaskOutput[] {
    const outputs = this.#outputs
    this.#outputs = []
    this.#undo.length = 0
    return outputs
  }

  #rollback(): void {
    undoAll(this.#undo)
    this.#outputs = []
  }
}

function memoryStore(spec: StoreSpec, undo: UndoLog): unknown {
  return spec.kind === 'set'
    ? new MemorySetStore<unknown, unknown, unknown>(spec, undo)
    : new MemoryKeyValueStore<unknown, unknown>(spec, undo)
}

function encodeErased(serde: ErasedSerde, value: unknown): Buffer | null {
  if (value === null && serde.nullable === true) return null
  const out = new ByteWriter(64)
  writeErased(serde, value, out)
  return out.toBuffer()
}
